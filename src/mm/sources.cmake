target_sources(ntmm PRIVATE
  ${CMAKE_CURRENT_LIST_DIR}/ram_map.c
  ${CMAKE_CURRENT_LIST_DIR}/machine.c
  ${CMAKE_CURRENT_LIST_DIR}/pfn.c
  ${CMAKE_CURRENT_LIST_DIR}/frame_cache.c
  ${CMAKE_CURRENT_LIST_DIR}/charge.c
  ${CMAKE_CURRENT_LIST_DIR}/pressure.c
  ${CMAKE_CURRENT_LIST_DIR}/pool_pages.c
  ${CMAKE_CURRENT_LIST_DIR}/secure_pages.c
  ${CMAKE_CURRENT_LIST_DIR}/owner.c
  ${CMAKE_CURRENT_LIST_DIR}/system_pte.c
  ${CMAKE_CURRENT_LIST_DIR}/contiguous.c
  ${CMAKE_CURRENT_LIST_DIR}/noncached.c
  ${CMAKE_CURRENT_LIST_DIR}/address.c
  ${CMAKE_CURRENT_LIST_DIR}/physical_memory.c
  ${CMAKE_CURRENT_LIST_DIR}/query.c
  ${CMAKE_CURRENT_LIST_DIR}/check.c
  ${CMAKE_CURRENT_LIST_DIR}/fault.c)
