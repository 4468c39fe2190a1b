target_sources(ntmm PRIVATE
  ${CMAKE_CURRENT_LIST_DIR}/memory_posix.c
  ${CMAKE_CURRENT_LIST_DIR}/memory_tools.c
  ${CMAKE_CURRENT_LIST_DIR}/copy_safely.c
  ${CMAKE_CURRENT_LIST_DIR}/fault_posix.c
  ${CMAKE_CURRENT_LIST_DIR}/fault_chain.c
  ${CMAKE_CURRENT_LIST_DIR}/fault_decode_a64.c
  ${CMAKE_CURRENT_LIST_DIR}/fault_decode_x86.c
  ${CMAKE_CURRENT_LIST_DIR}/fault_landing.c
  ${CMAKE_CURRENT_LIST_DIR}/interpose.c
  ${CMAKE_CURRENT_LIST_DIR}/peek.c
  ${CMAKE_CURRENT_LIST_DIR}/sigaction_linux.c
  ${CMAKE_CURRENT_LIST_DIR}/clock.c
  ${CMAKE_CURRENT_LIST_DIR}/wait_table.c
  ${CMAKE_CURRENT_LIST_DIR}/thread_posix.c
  ${CMAKE_CURRENT_LIST_DIR}/thread_end_posix.c
  ${CMAKE_CURRENT_LIST_DIR}/text_posix.c)
