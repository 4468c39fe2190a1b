target_sources(ntmm PRIVATE
  ${CMAKE_CURRENT_LIST_DIR}/handle.c
  ${CMAKE_CURRENT_LIST_DIR}/pool_api.c
  ${CMAKE_CURRENT_LIST_DIR}/pool_big.c
  ${CMAKE_CURRENT_LIST_DIR}/pool_block.c
  ${CMAKE_CURRENT_LIST_DIR}/pool_boot.c
  ${CMAKE_CURRENT_LIST_DIR}/pool_deferred.c
  ${CMAKE_CURRENT_LIST_DIR}/pool_describe.c
  ${CMAKE_CURRENT_LIST_DIR}/pool_descriptor.c
  ${CMAKE_CURRENT_LIST_DIR}/pool_find.c
  ${CMAKE_CURRENT_LIST_DIR}/pool_front.c
  ${CMAKE_CURRENT_LIST_DIR}/pool_lookaside.c
  ${CMAKE_CURRENT_LIST_DIR}/pool_magazine.c
  ${CMAKE_CURRENT_LIST_DIR}/pool_select.c
  ${CMAKE_CURRENT_LIST_DIR}/pool_tag.c
  ${CMAKE_CURRENT_LIST_DIR}/pool_tools.c
  ${CMAKE_CURRENT_LIST_DIR}/pool_walk.c
  ${CMAKE_CURRENT_LIST_DIR}/resource.c)
