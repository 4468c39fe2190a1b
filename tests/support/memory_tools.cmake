# What AddressSanitizer and memcheck say to a driver's mistakes with pool memory: pool_mistakes.c makes one of them at a time. Included
# by tests/CMakeLists.txt; a tool that this machine does not have is left out.
include(CheckCSourceCompiles)
set(CMAKE_REQUIRED_FLAGS -fsanitize=address)
check_c_source_compiles("int main(void) { return 0; }" NTMM_HAVE_ASAN)
unset(CMAKE_REQUIRED_FLAGS)
find_program(VALGRIND valgrind)
find_path(VALGRIND_INCLUDE_DIR valgrind/memcheck.h)

function(ntmm_mistakes_program name)
  add_executable(${name} ${CMAKE_CURRENT_SOURCE_DIR}/support/pool_mistakes.c)
  target_link_libraries(${name} PRIVATE ntmm::ntmm ntmm_warnings)
  target_compile_options(${name} PRIVATE -g -O0)
  # It has no pageable sections, and Valgrind finds no symbols where .bss is a segment of its own, as behind one of 16 KiB pages.
  set_target_properties(${name} PROPERTIES NTMM_NO_LINK_STEP ON)
endfunction()

# mistake_test(tool mistake expected command...): a regular expression that must be in what is printed
function(mistake_test tool mistake expected)
  add_test(NAME ${tool}_${mistake} COMMAND ${ARGN})
  set_tests_properties(${tool}_${mistake} PROPERTIES PASS_REGULAR_EXPRESSION "${expected}" LABELS "tools;${tool}" TIMEOUT 120)
endfunction()

set(overruns one_past_the_end header_in_front pages_past_the_end executable_past_the_end cache_aligned_past_the_end)
set(freed after_the_free paged_after_the_free pages_after_the_free pages_with_a_tail_after_the_free contiguous_after_the_free
  lookaside_after_the_free)
set(sound nothing_wrong another_machine)

# A program with page faults, optimised: in gdb with the script of the package, and under Valgrind.
add_executable(paging_program ${CMAKE_CURRENT_SOURCE_DIR}/support/paging_program.c)
target_link_libraries(paging_program PRIVATE ntmm::ntmm ntmm_warnings)
target_compile_options(paging_program PRIVATE -g -O2)
find_program(GDB gdb)
if(GDB)
  add_test(NAME gdb_page_faults COMMAND ${GDB} -nx -batch -ex "set confirm off" -x ${PROJECT_SOURCE_DIR}/cmake/ntmm.gdb -ex run
    --args $<TARGET_FILE:paging_program>)
  # A breakpoint in pageable code holds while the page goes and comes: it is reached in each of three rounds of two machines.
  add_test(NAME gdb_pageable_breakpoint COMMAND ${GDB} -nx -batch -ex "set confirm off" -x ${PROJECT_SOURCE_DIR}/cmake/ntmm.gdb
    -ex "break add_up" -ex run -ex continue -ex continue -ex continue -ex continue -ex continue -ex continue
    --args $<TARGET_FILE:paging_program>)
  set_tests_properties(gdb_page_faults gdb_pageable_breakpoint PROPERTIES LABELS "tools;gdb" TIMEOUT 120
    FAIL_REGULAR_EXPRESSION "received signal;something is wrong" PASS_REGULAR_EXPRESSION "all is well.*exited normally"
    SKIP_REGULAR_EXPRESSION "ptrace: Operation not permitted;Could not trace the inferior process")
endif()
if(VALGRIND AND CMAKE_C_COMPILER_ID STREQUAL GNU) # as below
  # A page fault is mended in the middle of an instruction, so the registers must be exact there.
  add_test(NAME valgrind_page_faults COMMAND ${VALGRIND} --quiet --error-exitcode=9 --px-default=allregs-at-mem-access
    $<TARGET_FILE:paging_program> paging)
  set_tests_properties(valgrind_page_faults PROPERTIES LABELS "tools;valgrind" TIMEOUT 120)
endif()

if(NTMM_HAVE_ASAN)
  ntmm_mistakes_program(pool_mistakes_asan)
  target_compile_options(pool_mistakes_asan PRIVATE -fsanitize=address)
  target_link_options(pool_mistakes_asan PRIVATE -fsanitize=address)
  ntmm_test(test_ex_pool_tools unit/test_ex_pool_tools.c)
  target_compile_options(test_ex_pool_tools PRIVATE -fsanitize=address)
  target_link_options(test_ex_pool_tools PRIVATE -fsanitize=address)
  foreach(mistake IN LISTS overruns freed) # at the line in question, and not in the library
    mistake_test(asan ${mistake} "SUMMARY: AddressSanitizer: use-after-poison .* in ${mistake}" pool_mistakes_asan ${mistake})
  endforeach()
  foreach(mistake IN LISTS sound)
    add_test(NAME asan_${mistake} COMMAND pool_mistakes_asan ${mistake})
    set_tests_properties(asan_${mistake} PROPERTIES LABELS "tools;asan" TIMEOUT 120)
  endforeach()
  # Switched off nobody is told anything: the overrun is not seen, and a pointer in a pool block does not keep malloc()ed memory alive.
  mistake_test(asan_off one_past_the_end "nobody saw it" pool_mistakes_asan one_past_the_end)
  mistake_test(asan_off nothing_wrong "LeakSanitizer: detected memory leaks.*77 byte" pool_mistakes_asan nothing_wrong)
  set_tests_properties(asan_off_one_past_the_end asan_off_nothing_wrong PROPERTIES ENVIRONMENT NTMM_MEMORY_TOOLS=off)
endif()

if(VALGRIND AND VALGRIND_INCLUDE_DIR AND CMAKE_C_COMPILER_ID STREQUAL GNU) # Valgrind 3.19 gives up at the DWARF of clang
  ntmm_mistakes_program(pool_mistakes)
  set(memcheck ${VALGRIND} --quiet --leak-check=full --error-exitcode=9 $<TARGET_FILE:pool_mistakes>)
  foreach(mistake IN LISTS overruns freed)
    mistake_test(valgrind ${mistake} "Invalid (read|write) of size 1.*${mistake}" ${memcheck} ${mistake})
  endforeach()
  mistake_test(valgrind uninitialised "depends on uninitialised value" ${memcheck} uninitialised)
  foreach(mistake IN LISTS sound)
    add_test(NAME valgrind_${mistake} COMMAND ${memcheck} ${mistake})
    set_tests_properties(valgrind_${mistake} PROPERTIES LABELS "tools;valgrind" TIMEOUT 120)
  endforeach()
endif()
