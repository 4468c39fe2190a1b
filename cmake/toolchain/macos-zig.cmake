# macOS, compiled and linked on any machine with `zig cc`, which brings the system's headers and stubs with it:
#   cmake --toolchain cmake/toolchain/macos-zig.cmake -D NTMM_ZIG=<zig> -D NTMM_MACOS_CPU=aarch64
# What comes out can be linked here, but only run on a Mac.
set(CMAKE_SYSTEM_NAME Darwin)
set(NTMM_ZIG zig CACHE FILEPATH "The zig program")
set(NTMM_MACOS_CPU aarch64 CACHE STRING "aarch64 or x86_64")
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES NTMM_ZIG NTMM_MACOS_CPU)
set(CMAKE_SYSTEM_PROCESSOR ${NTMM_MACOS_CPU})
set(CMAKE_C_COMPILER ${NTMM_ZIG} cc)
set(CMAKE_C_COMPILER_TARGET ${NTMM_MACOS_CPU}-macos)
set(CMAKE_OSX_SYSROOT "")
set(CMAKE_OSX_DEPLOYMENT_TARGET "")
foreach(tool ar ranlib) # CMake calls each as one program: `zig ar` needs a name of its own
  file(WRITE ${CMAKE_BINARY_DIR}/zig-${tool} "#!/bin/sh\nexec '${NTMM_ZIG}' ${tool} \"$@\"\n")
  file(CHMOD ${CMAKE_BINARY_DIR}/zig-${tool} PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE)
  string(TOUPPER ${tool} TOOL)
  set(CMAKE_${TOOL} ${CMAKE_BINARY_DIR}/zig-${tool})
endforeach()
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
