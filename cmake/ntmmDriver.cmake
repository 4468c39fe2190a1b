# ntmm_add_driver(<name> [STATIC | SHARED | OBJECT] [SOURCES] <file>...)
#
# A library of a driver's own sources, as they are, to be linked into a test:
#
#     ntmm_add_driver(mydriver SOURCES driver.c queue.c)
#     add_executable(test_queue test_queue.c)
#     target_link_libraries(test_queue PRIVATE mydriver cmocka)
#
# Besides what ntmm::ntmm itself asks for (16-bit wchar_t, signed char, anonymous members), drivers get what their usual compiler does: no
# assumptions from types of pointers or from signed overflow, multi-character constants, foreign pragmas. A routine that is not declared is an
# error: its pointer would be cut to 32 bits.
#
# A file in which the word __try, _try or try stands before a brace is compiled with NTMM_USES_TRY, that is, not optimised: see
# ntmm/ddk/wdm/excpt.h. Where a header or a macro hides the word, and the build is optimised, the compiler says so:
#     target_compile_definitions(mydriver PRIVATE NTMM_USES_TRY)
function(ntmm_add_driver name)
  cmake_parse_arguments(PARSE_ARGV 1 driver "STATIC;SHARED;OBJECT" "" SOURCES)
  set(kind STATIC)
  foreach(wanted SHARED OBJECT)
    if(driver_${wanted})
      set(kind ${wanted})
    endif()
  endforeach()
  set(sources ${driver_UNPARSED_ARGUMENTS} ${driver_SOURCES})
  if(NOT sources)
    message(FATAL_ERROR "ntmm_add_driver(${name}): no sources are given")
  endif()

  add_library(${name} ${kind} ${sources})
  target_link_libraries(${name} PUBLIC ntmm::ntmm)
  get_target_property(standard ${name} C_STANDARD)
  if(NOT standard)
    set_target_properties(${name} PROPERTIES C_STANDARD 17 C_EXTENSIONS ON)
  endif()
  target_compile_options(${name} PRIVATE -fno-strict-aliasing -fwrapv -Wno-multichar -Wno-unknown-pragmas $<$<C_COMPILER_ID:Clang>:-Wno-pragma-pack>
    $<$<COMPILE_LANGUAGE:C>:-Werror=implicit-function-declaration -Werror=implicit-int
      -Wno-error=int-conversion -Wno-error=incompatible-pointer-types>)

  foreach(source IN LISTS sources)
    ntmm_mark_if_it_tries(${source})
  endforeach()
endfunction()

# ntmm_pageable_section(<target> <name> CODE | DATA | CONST)
#
# A section of the target that may be paged out, by another name than PAGE, PAGELK or PAGEDATA: it gets pages of its own, as those do, wherever the
# target is linked into a program or a shared library.
#
#     ntmm_pageable_section(mydriver PAGEVIDE CODE)
function(ntmm_pageable_section target name kind)
  if(NOT name MATCHES "^PAGE")
    message(FATAL_ERROR "ntmm_pageable_section(${target} ${name}): the name of a pageable section begins with PAGE")
  endif()
  set(after_CODE .fini)
  set(after_DATA .data)
  set(after_CONST .rodata)
  if(NOT DEFINED after_${kind})
    message(FATAL_ERROR "ntmm_pageable_section(${target} ${name} ${kind}): the kind is CODE, DATA or CONST")
  endif()
  if(NOT CMAKE_SYSTEM_NAME STREQUAL Linux)
    return()
  endif()
  set(page 16384) # a multiple of every page that ntmm can have
  set(script ${CMAKE_CURRENT_BINARY_DIR}/${target}_${name}.ld)
  file(WRITE ${script} "SECTIONS { ${name} : ALIGN(${page}) { *(${name}) . = (. > 0) ? ALIGN(${page}) : .; } } INSERT AFTER ${after_${kind}};\n")
  target_link_options(${target} PUBLIC -Wl,-T,${script})
endfunction()

function(ntmm_mark_if_it_tries source)
  cmake_path(ABSOLUTE_PATH source BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
  if(NOT EXISTS ${source}) # the build makes it
    return()
  endif()
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${source}) # the word may come and go
  file(READ ${source} text)
  if(text MATCHES "(^|[^A-Za-z0-9_])(__try|_try|try)[ \t\r\n]*{")
    set_property(SOURCE ${source} APPEND PROPERTY COMPILE_DEFINITIONS NTMM_USES_TRY)
  endif()
endfunction()
