target_sources(ntmm PRIVATE
  ${CMAKE_CURRENT_LIST_DIR}/registers.c
  ${CMAKE_CURRENT_LIST_DIR}/ports.c
  ${CMAKE_CURRENT_LIST_DIR}/pci.c
  ${CMAKE_CURRENT_LIST_DIR}/bus_address.c
  ${CMAKE_CURRENT_LIST_DIR}/device.c
  ${CMAKE_CURRENT_LIST_DIR}/physical_copy.c
  ${CMAKE_CURRENT_LIST_DIR}/dma_records.c
  ${CMAKE_CURRENT_LIST_DIR}/map_registers.c
  ${CMAKE_CURRENT_LIST_DIR}/iommu.c
  ${CMAKE_CURRENT_LIST_DIR}/dma_adapter.c
  ${CMAKE_CURRENT_LIST_DIR}/dma_queue.c
  ${CMAKE_CURRENT_LIST_DIR}/dma_channel.c
  ${CMAKE_CURRENT_LIST_DIR}/dma_transfer.c
  ${CMAKE_CURRENT_LIST_DIR}/scatter_gather.c
  ${CMAKE_CURRENT_LIST_DIR}/common_buffer.c
  ${CMAKE_CURRENT_LIST_DIR}/common_buffer_vector.c
  ${CMAKE_CURRENT_LIST_DIR}/dma_leaks.c)
