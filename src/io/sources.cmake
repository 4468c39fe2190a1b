target_sources(ntmm PRIVATE
  ${CMAKE_CURRENT_LIST_DIR}/dma_adapter.c
  ${CMAKE_CURRENT_LIST_DIR}/dma_mdl.c
  ${CMAKE_CURRENT_LIST_DIR}/ksr.c
  ${CMAKE_CURRENT_LIST_DIR}/mdl.c
  ${CMAKE_CURRENT_LIST_DIR}/mdl_create.c
  ${CMAKE_CURRENT_LIST_DIR}/object_name.c
  ${CMAKE_CURRENT_LIST_DIR}/mdl_io_space.c
  ${CMAKE_CURRENT_LIST_DIR}/named_event.c
  ${CMAKE_CURRENT_LIST_DIR}/file.c
  ${CMAKE_CURRENT_LIST_DIR}/file_section.c
  ${CMAKE_CURRENT_LIST_DIR}/section.c
  ${CMAKE_CURRENT_LIST_DIR}/section_map.c
  ${CMAKE_CURRENT_LIST_DIR}/section_system.c
  ${CMAKE_CURRENT_LIST_DIR}/secure_section.c
  ${CMAKE_CURRENT_LIST_DIR}/physical_ranges.c
  ${CMAKE_CURRENT_LIST_DIR}/work_item.c)
