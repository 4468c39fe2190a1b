# ntmm_add_driver(<name> [STATIC | SHARED | OBJECT] [SOURCES] <file>...
#                 [EXPORT <symbol>...] [STUB_HEADERS <header>...] [TRACE_FUNCTIONS <name>...])
#
# A library of a driver's own sources, as they are, to be linked into a test:
#
#     ntmm_add_driver(mydriver SOURCES driver.c queue.c)
#     add_executable(test_queue test_queue.c)
#     target_link_libraries(test_queue PRIVATE mydriver cmocka)
#
# Its DriverEntry is called mydriver_DriverEntry, so that two drivers live in one test. To DriverEntry a STATIC library answers, too: with two drivers
# it is that of the library that comes first.
#
# EXPORT           nothing but mydriver_DriverEntry and these symbols can be seen from outside, so that two drivers may both have an AddDevice.
#                  For a STATIC library, on Linux; a SHARED one means its own functions anyway. Without it a test sees every function.
# STUB_HEADERS     empty headers, for those that another tool makes, by mc or mofcomp for instance
# TRACE_FUNCTIONS  trace functions of WPP that the project file declares; what the sources declare is found there
#
# Besides what ntmm::ntmm itself asks for (16-bit wchar_t, signed char, anonymous members), drivers get what their usual compiler does: no
# assumptions from types of pointers or from signed overflow, multi-character constants, foreign pragmas. A routine that is not declared is an
# error: its pointer would be cut to 32 bits. _WIN64, _AMD64_, AMD64, _M_X64 and _M_AMD64 are defined on any host, since the simulated machine is an
# x64 one; a header of another library that takes them for Windows wants target_compile_options(mydriver PRIVATE -U_WIN64).
#
# ntmm-cc stands in front of the compiler, and sees to the rest at each compilation: names of headers in any letter case and with backslashes, .tmh
# files of WPP, alloc_text and code_seg, tokens that only Visual C++ takes, and files with a __try. Its opening comment has the list. Where
# a macro hides the word __try, and the build is optimised, the compiler says so:
#     target_compile_definitions(mydriver PRIVATE NTMM_USES_TRY)
function(ntmm_add_driver name)
  cmake_parse_arguments(PARSE_ARGV 1 driver "STATIC;SHARED;OBJECT" "" "SOURCES;EXPORT;STUB_HEADERS;TRACE_FUNCTIONS")
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
  if(driver_EXPORT AND NOT (kind STREQUAL STATIC AND CMAKE_SYSTEM_NAME STREQUAL Linux))
    message(FATAL_ERROR "ntmm_add_driver(${name}): EXPORT is for STATIC libraries, on Linux")
  endif()

  string(MAKE_C_IDENTIFIER ${name} NTMM_DRIVER)
  set(made ${CMAKE_CURRENT_BINARY_DIR}/${name}.ntmm)
  set(entry "")
  if(kind STREQUAL STATIC) # linked only where somebody calls it
    get_property(text GLOBAL PROPERTY NTMM_DRIVER_ENTRY)
    set(entry ${made}/driver_entry.c)
    file(CONFIGURE OUTPUT ${entry} CONTENT "${text}" @ONLY)
  endif()
  if(driver_EXPORT)
    ntmm_add_driver_object_(${name} ${made} "${sources}" "${driver_EXPORT}")
    add_library(${name} STATIC ${made}/${name}.o ${entry})
    set_target_properties(${name} PROPERTIES LINKER_LANGUAGE C)
    set(compiled ${name}_objects)
  else()
    add_library(${name} ${kind} ${sources} ${entry})
    set(compiled ${name})
  endif()
  if(kind STREQUAL SHARED AND CMAKE_SYSTEM_NAME STREQUAL Linux)
    target_link_options(${name} PRIVATE -Wl,-Bsymbolic,-z,now,-z,separate-code) # imports bound when it is loaded; code on pages of its own
  endif()
  target_link_libraries(${name} PUBLIC ntmm::ntmm)

  foreach(header IN LISTS driver_STUB_HEADERS)
    file(CONFIGURE OUTPUT ${made}/stubs/${header} CONTENT "/* ${header} is made by another tool on Windows. */\n" @ONLY)
    target_include_directories(${compiled} PRIVATE ${made}/stubs)
  endforeach()
  ntmm_driver_options_(${compiled} ${NTMM_DRIVER} "${driver_TRACE_FUNCTIONS}")
  get_property(tools GLOBAL PROPERTY NTMM_CC_FILES)
  set_property(SOURCE ${sources} APPEND PROPERTY OBJECT_DEPENDS "${tools}")
endfunction()

set_property(GLOBAL PROPERTY NTMM_DRIVER_ENTRY [[
/* Whoever loads DriverEntry means this one, unless another driver of the program was found first. */
#include <ntddk.h>

#undef DriverEntry

DRIVER_INITIALIZE @NTMM_DRIVER@_DriverEntry;
DRIVER_INITIALIZE DriverEntry;

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    return @NTMM_DRIVER@_DriverEntry(DriverObject, RegistryPath);
}
]])

# All objects of the driver in one, in which what is not exported is local. C++ may not be: inline functions then have no groups any more.
function(ntmm_add_driver_object_ name made sources exported)
  string(MAKE_C_IDENTIFIER ${name} id)
  list(APPEND exported ${id}_DriverEntry)
  list(TRANSFORM exported PREPEND --keep-global-symbol=)
  add_library(${name}_objects OBJECT ${sources})
  foreach(property COMPILE_OPTIONS COMPILE_DEFINITIONS INCLUDE_DIRECTORIES COMPILE_FEATURES)
    set_property(TARGET ${name}_objects APPEND PROPERTY ${property} "$<TARGET_PROPERTY:${name},${property}>")
  endforeach()
  add_custom_command(OUTPUT ${made}/${name}.o
    COMMAND ${CMAKE_LINKER} -r -o ${made}/whole.o $<TARGET_OBJECTS:${name}_objects>
    COMMAND ${CMAKE_OBJCOPY} ${exported} ${made}/whole.o ${made}/${name}.o
    DEPENDS ${name}_objects $<TARGET_OBJECTS:${name}_objects> COMMAND_EXPAND_LISTS VERBATIM
    COMMENT "Making symbols of ${name} local")
endfunction()

function(ntmm_driver_options_ target id trace_functions)
  get_target_property(standard ${target} C_STANDARD)
  if(NOT standard)
    set_target_properties(${target} PROPERTIES C_STANDARD 17 C_EXTENSIONS ON)
  endif()
  target_compile_definitions(${target} PRIVATE DriverEntry=${id}_DriverEntry _WIN64 _AMD64_ AMD64 _M_X64=100 _M_AMD64=100)
  target_compile_options(${target} PRIVATE -fno-strict-aliasing -fwrapv -Wno-multichar -Wno-unknown-pragmas $<$<C_COMPILER_ID:Clang>:-Wno-pragma-pack>
    $<$<COMPILE_LANGUAGE:C>:-Werror=implicit-function-declaration -Werror=implicit-int
      -Wno-error=int-conversion -Wno-error=incompatible-pointer-types>)

  get_property(command GLOBAL PROPERTY NTMM_CC)
  list(APPEND command --driver=${id})
  foreach(function IN LISTS trace_functions)
    list(APPEND command --trace-function=${function})
  endforeach()
  foreach(language C CXX)
    set(launcher ${command})
    get_target_property(before ${target} ${language}_COMPILER_LAUNCHER) # ccache, most likely
    if(before)
      list(APPEND launcher ${before})
    endif()
    set_target_properties(${target} PROPERTIES ${language}_COMPILER_LAUNCHER "${launcher}")
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
