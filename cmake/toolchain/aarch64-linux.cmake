# AArch64 Linux, built on another machine and run under qemu-user:
#   cmake --toolchain cmake/toolchain/aarch64-linux.cmake -D NTMM_AARCH64_ROOT=<folder with usr/ of arm64 packages>
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(NTMM_AARCH64_ROOT "" CACHE PATH "Where the arm64 package of CMocka was unpacked")
set(CMAKE_FIND_ROOT_PATH ${NTMM_AARCH64_ROOT} /usr/aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(NTMM_QEMU_FLAGS "" CACHE STRING "Further words for qemu-aarch64: `-p;16384` makes it a host with pages of 16 KiB")
# qemu 7.2 executes `dc zva` on a page that is closed without a fault, and zeroes nothing: pages that come by page faults would keep what was in
# them. glibc's memset for this processor does without that instruction.
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -E GLIBC_TUNABLES=glibc.cpu.name=kunpeng920 ${NTMM_QEMU_FLAGS} -L /usr/aarch64-linux-gnu)
