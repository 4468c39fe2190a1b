target_sources(ntmm PRIVATE
  ${CMAKE_CURRENT_LIST_DIR}/automatic.c
  ${CMAKE_CURRENT_LIST_DIR}/automatic_stop.c
  ${CMAKE_CURRENT_LIST_DIR}/contents.c
  ${CMAKE_CURRENT_LIST_DIR}/deadlock.c
  ${CMAKE_CURRENT_LIST_DIR}/dma.c
  ${CMAKE_CURRENT_LIST_DIR}/performance_counter.c
  ${CMAKE_CURRENT_LIST_DIR}/verifying.c)
