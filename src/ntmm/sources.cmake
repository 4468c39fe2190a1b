# Boot, shutdown and the control API: the only folder that includes every layer.
target_sources(ntmm PRIVATE
  ${CMAKE_CURRENT_LIST_DIR}/boot.c
  ${CMAKE_CURRENT_LIST_DIR}/control.c
  ${CMAKE_CURRENT_LIST_DIR}/exports.c
  ${CMAKE_CURRENT_LIST_DIR}/leaks.c)
include(${PROJECT_SOURCE_DIR}/cmake/exports.cmake)
