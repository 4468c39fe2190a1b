target_sources(ntmm PRIVATE
  ${CMAKE_CURRENT_LIST_DIR}/attributes.c
  ${CMAKE_CURRENT_LIST_DIR}/context.c
  ${CMAKE_CURRENT_LIST_DIR}/driver_current.c
  ${CMAKE_CURRENT_LIST_DIR}/driver.c
  ${CMAKE_CURRENT_LIST_DIR}/lock.c
  ${CMAKE_CURRENT_LIST_DIR}/object.c
  ${CMAKE_CURRENT_LIST_DIR}/object_life.c
  ${CMAKE_CURRENT_LIST_DIR}/tags.c)
