# install_test.cmake - installs ntmm, shared and static, and uses it as somebody else's project does.
#
#   cmake -D SOURCE_DIR=... -D WORK_DIR=... -D COMPILER=... -D PAGE_SIZE=... -P install_test.cmake
#
# For each kind of library: build, install into a prefix, move the prefix elsewhere, then build the driver and the test in consumer/
# once by CMake's find_package and ntmm_add_driver, optimised, and once by cc with pkg-config's flags, and run both. A driver written as for Visual C++ is
# built by ntmm_add_driver and by make with ntmm-cc, twice: the second time after a change in a header that only a copy of the sources had included. With the shared one, README.md's example must be
# the one in examples/ring, and catch both of the bugs that are promised; then the examples are built and run as somebody else would do it.
cmake_minimum_required(VERSION 3.25)
set(support_dir ${CMAKE_CURRENT_LIST_DIR})
set(consumer_dir ${support_dir}/consumer)
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

# README.md shows the files of examples/ring as they are, and what their test says.
function(compare_with_readme name)
  file(READ ${SOURCE_DIR}/README.md readme)
  file(READ ${SOURCE_DIR}/examples/ring/${name} text)
  string(FIND "${readme}" "<!-- ${name} -->\n```c\n${text}```\n" begin)
  if(begin EQUAL -1)
    message(FATAL_ERROR "README.md does not show examples/ring/${name} as it is")
  endif()
endfunction()

function(try_readme)
  compare_with_readme(ring.c)
  compare_with_readme(test_ring.c)
  flags_of(flags --cflags --libs ntmm cmocka)
  set(ring ${SOURCE_DIR}/examples/ring)
  run("README.md: build" ${COMPILER} -g -rdynamic ${ring}/ring.c ${ring}/test_ring.c -o ${work}/test_ring -Wno-multichar
    ${flags} -Wl,-rpath,${libdir})
  execute_process(COMMAND ${work}/test_ring RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT status EQUAL 2 OR NOT output MATCHES "STOP 0x000000C2 BAD_POOL_CALLER" OR NOT output MATCHES "while a spin lock is held\\.\n"
     OR NOT output MATCHES "allocation number 3 refused" OR NOT output MATCHES "1 allocation\\(s\\) leaked:\n    tag 'Devi'")
    message(FATAL_ERROR "README.md promises two caught bugs; this came (${status}):\n${output}")
  endif()
  message(STATUS "README.md: both bugs were caught")
endfunction()

# The examples as a project of its own; with clang, where there is one, for libFuzzer.
function(try_examples)
  find_program(CLANG clang)
  set(compiler ${COMPILER})
  if(CLANG)
    set(compiler ${CLANG})
  endif()
  run("examples: configure" ${CMAKE_COMMAND} -S ${SOURCE_DIR}/examples -B ${work}/examples -G ${generator}
    -D CMAKE_C_COMPILER=${compiler} -D CMAKE_PREFIX_PATH=${prefix} -D CMAKE_BUILD_TYPE=RelWithDebInfo)
  run("examples: build" ${CMAKE_COMMAND} --build ${work}/examples)
  run("examples: run" ${CMAKE_CTEST_COMMAND} --test-dir ${work}/examples --output-on-failure --no-tests=error)
  if(NOT output MATCHES "example_fuzz_mailbox")
    message(STATUS "examples: there is no libFuzzer, so no fuzzer was run")
  endif()
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

# odd_consumer beside odd_driver: `build` makes it, and `program` says which number the header has.
function(try_odd_driver title program)
  file(COPY_FILE ${support_dir}/odd_driver/Inc/Types.h ${odd}/odd_driver/Inc/Types.h)
  run("${title}" ${ARGN})
  run("${title}, run" ${program})
  if(NOT output STREQUAL "mask 262\n")
    message(FATAL_ERROR "${title}: mask 262 was expected:\n${output}")
  endif()
  run("${title}, once more" ${ARGN})
  if(NOT output MATCHES "no work to do|is up to date|up to date|Built target")
    message(FATAL_ERROR "${title}: built again although nothing has changed:\n${output}")
  endif()
  execute_process(COMMAND ${CMAKE_COMMAND} -E sleep 1.1) # make compares seconds on some file systems
  file(READ ${odd}/odd_driver/Inc/Types.h text)
  string(REPLACE "7i32" "9i32" text "${text}")
  file(WRITE ${odd}/odd_driver/Inc/Types.h "${text}")
  run("${title} after a change" ${ARGN})
  run("${title} after a change, run" ${program})
  if(NOT output STREQUAL "mask 264\n")
    message(FATAL_ERROR "${title}: a header has changed, and its driver was not compiled again:\n${output}")
  endif()
  file(GLOB_RECURSE left LIST_DIRECTORIES true ${odd}/*.ntmm)
  list(FILTER left INCLUDE REGEX "\\.[od]\\.ntmm$")
  if(left)
    message(FATAL_ERROR "${title}: copies were left behind: ${left}")
  endif()
endfunction()

function(build_odd_driver)
  set(odd ${work}/odd)
  file(REMOVE_RECURSE ${odd})
  file(COPY ${support_dir}/odd_consumer/ ${support_dir}/odd_driver DESTINATION ${odd})
  run("${kind}: odd driver configure" ${CMAKE_COMMAND} -S ${odd} -B ${odd}/build -G ${generator}
    -D CMAKE_C_COMPILER=${COMPILER} -D CMAKE_PREFIX_PATH=${prefix} -D CMAKE_BUILD_TYPE=Release)
  try_odd_driver("${kind}: odd driver by ntmm_add_driver" ${odd}/build/odd_program ${CMAKE_COMMAND} --build ${odd}/build)
  find_program(MAKE NAMES make gmake)
  if(MAKE)
    try_odd_driver("${kind}: odd driver by make" ${odd}/by_make
      ${CMAKE_COMMAND} -E env NTMM_CC=${COMPILER} PATH=${prefix}/bin:$ENV{PATH} ${MAKE} -C ${odd})
  endif()
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
  build_odd_driver()
  if(shared)
    try_readme()
    try_examples()
  endif()
endfunction()

install_and_use(shared ON "")
install_and_use(static OFF --static)
