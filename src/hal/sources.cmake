target_sources(ntmm PRIVATE
  ${CMAKE_CURRENT_LIST_DIR}/registers.c
  ${CMAKE_CURRENT_LIST_DIR}/ports.c
  ${CMAKE_CURRENT_LIST_DIR}/pci.c
  ${CMAKE_CURRENT_LIST_DIR}/bus_address.c)
