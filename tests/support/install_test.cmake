# install_test.cmake - installs ntmm, shared and static, and uses it as somebody else's project does.
#
#   cmake -D SOURCE_DIR=... -D WORK_DIR=... -D COMPILER=... -D PAGE_SIZE=... -P install_test.cmake
#
# For each kind of library: build, install into a prefix, move the prefix elsewhere, then build the driver and the test in consumer/
# once by CMake's find_package and ntmm_add_driver, optimised, and once by cc with pkg-config's flags, and run both. With the shared one, README.md's example is built
# from README.md's own text, and must catch both of the bugs that it promises.
cmake_minimum_required(VERSION 3.25)
set(consumer_dir ${CMAKE_CURRENT_LIST_DIR}/consumer)
find_program(PKG_CONFIG NAMES pkg-config pkgconf REQUIRED)
find_program(NINJA ninja)
set(generator "Unix Makefiles")
if(NINJA)
  set(generator Ninja)
endif()

function(run title)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "${title} failed (${status}):\n${command}\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
  message(STATUS "${title}: done")
endfunction()

# The consumer must have caught its double free, not merely ended.
function(run_consumer title program)
  run("${title}, run" ${program})
  if(NOT output MATCHES "caught: 0xC2 BAD_POOL_CALLER")
    message(FATAL_ERROR "${title}: no bug check was caught:\n${output}")
  endif()
endfunction()

function(flags_of out)
  run("pkg-config ${ARGN}" ${CMAKE_COMMAND} -E env PKG_CONFIG_PATH=${pc_dir}:$ENV{PKG_CONFIG_PATH} ${PKG_CONFIG} ${ARGN})
  string(STRIP "${output}" output)
  separate_arguments(output UNIX_COMMAND "${output}")
  set(${out} "${output}" PARENT_SCOPE)
endfunction()

# The C text that follows <!-- name --> in README.md becomes a file.
function(extract_from_readme name)
  file(READ ${SOURCE_DIR}/README.md text)
  string(FIND "${text}" "<!-- ${name} -->\n```c\n" begin)
  if(begin EQUAL -1)
    message(FATAL_ERROR "README.md has no ${name}")
  endif()
  string(SUBSTRING "${text}" ${begin} -1 text)
  string(FIND "${text}" "```c\n" begin)
  math(EXPR begin "${begin} + 5")
  string(SUBSTRING "${text}" ${begin} -1 text)
  string(FIND "${text}" "```" end)
  string(SUBSTRING "${text}" 0 ${end} text)
  file(WRITE ${work}/readme/${name} "${text}")
endfunction()

function(try_readme)
  extract_from_readme(ring.c)
  extract_from_readme(test_ring.c)
  flags_of(flags --cflags --libs ntmm cmocka)
  run("README.md: build" ${COMPILER} -g -rdynamic ${work}/readme/ring.c ${work}/readme/test_ring.c -o ${work}/readme/test_ring -Wno-multichar
    ${flags} -Wl,-rpath,${libdir})
  execute_process(COMMAND ${work}/readme/test_ring RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT status EQUAL 2 OR NOT output MATCHES "STOP 0x000000C2 BAD_POOL_CALLER" OR NOT output MATCHES "while a spin lock is held\\.\n"
     OR NOT output MATCHES "1 allocation\\(s\\) leaked:\n    tag 'Ring'")
    message(FATAL_ERROR "README.md promises two caught bugs; this came (${status}):\n${output}")
  endif()
  message(STATUS "README.md: both bugs were caught")
endfunction()

# A file with a __try that is optimised and does not say so would lose what its bodies write: the compiler must refuse it, with advice.
function(refuse_optimised_try)
  execute_process(COMMAND ${COMPILER} -O2 ${cflags} -c ${consumer_dir}/user_buffer.c -o ${work}/consumer/user_buffer.o
    RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(status EQUAL 0 OR NOT output MATCHES "define NTMM_USES_TRY for this file")
    message(FATAL_ERROR "an optimised file with a __try was not refused (${status}):\n${output}")
  endif()
  run("an optimised file with NTMM_USES_TRY" ${COMPILER} -O2 -DNTMM_USES_TRY ${cflags} -c ${consumer_dir}/user_buffer.c
    -o ${work}/consumer/user_buffer.o)
endfunction()

function(install_and_use kind shared static_flag)
  set(work ${WORK_DIR}/${kind})
  set(prefix ${work}/moved/here)
  file(REMOVE_RECURSE ${work}/prefix ${work}/moved ${work}/consumer)

  run("${kind}: configure" ${CMAKE_COMMAND} -S ${SOURCE_DIR} -B ${work}/build -G ${generator} -D CMAKE_C_COMPILER=${COMPILER}
    -D CMAKE_BUILD_TYPE=Release -D BUILD_SHARED_LIBS=${shared} -D NTMM_PAGE_SIZE=${PAGE_SIZE} -D CMAKE_INSTALL_PREFIX=${work}/prefix
    -D NTMM_BUILD_TESTS=OFF -D NTMM_BUILD_BENCH=OFF -D NTMM_BUILD_TOOL=OFF)
  run("${kind}: build" ${CMAKE_COMMAND} --build ${work}/build --parallel 2)
  run("${kind}: install" ${CMAKE_COMMAND} --install ${work}/build)
  file(MAKE_DIRECTORY ${work}/moved)
  file(RENAME ${work}/prefix ${prefix})

  foreach(script ntmm.gdb ntmm.lldb)
    if(NOT EXISTS ${prefix}/share/ntmm/${script})
      message(FATAL_ERROR "${kind}: share/ntmm/${script} is not installed")
    endif()
  endforeach()

  run("${kind}: consumer configure" ${CMAKE_COMMAND} -S ${consumer_dir} -B ${work}/consumer -G ${generator}
    -D CMAKE_C_COMPILER=${COMPILER} -D CMAKE_PREFIX_PATH=${prefix} -D CMAKE_BUILD_TYPE=Release)
  run("${kind}: consumer build" ${CMAKE_COMMAND} --build ${work}/consumer)
  run_consumer("${kind}: find_package" ${work}/consumer/consumer)

  file(GLOB_RECURSE pc_file ${prefix}/*/ntmm.pc)
  cmake_path(GET pc_file PARENT_PATH pc_dir)
  flags_of(cflags --cflags ntmm)
  flags_of(libs --libs ${static_flag} ntmm)
  flags_of(libdir --variable=libdir ntmm)
  run("${kind}: pkg-config build" ${COMPILER} -o ${work}/consumer/by-pkg-config ${cflags} -Wno-multichar
    ${consumer_dir}/driver.c ${consumer_dir}/user_buffer.c ${consumer_dir}/main.c ${libs} -Wl,-rpath,${libdir})
  run_consumer("${kind}: pkg-config" ${work}/consumer/by-pkg-config)
  refuse_optimised_try()
  if(shared)
    try_readme()
  endif()
endfunction()

install_and_use(shared ON "")
install_and_use(static OFF --static)
