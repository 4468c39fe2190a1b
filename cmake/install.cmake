# What `cmake --install` lays down, and how other builds find it again:
#   find_package(ntmm CONFIG)   target ntmm::ntmm, function ntmm_add_driver
#   pkg-config ntmm             the same as flags
#   ntmm-cc                     a compiler for drivers' sources, for Makefiles
# Both work wherever the prefix is moved to.
include(CMakePackageConfigHelpers)
set(ntmm_cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/ntmm)

install(TARGETS ntmm EXPORT ntmm-targets)
install(DIRECTORY include/ntmm DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(FILES ${PROJECT_BINARY_DIR}/include/ntmm/config.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/ntmm)
install(FILES LICENSE README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})

install(EXPORT ntmm-targets NAMESPACE ntmm:: DESTINATION ${ntmm_cmake_dir})
configure_package_config_file(cmake/ntmmConfig.cmake.in ntmmConfig.cmake INSTALL_DESTINATION ${ntmm_cmake_dir}
  PATH_VARS CMAKE_INSTALL_BINDIR ntmm_data_dir)
write_basic_package_version_file(ntmmConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/ntmmConfig.cmake ${PROJECT_BINARY_DIR}/ntmmConfigVersion.cmake cmake/ntmmDriver.cmake
  DESTINATION ${ntmm_cmake_dir})

install(PROGRAMS ${PROJECT_BINARY_DIR}/ntmm-cc DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES cmake/ntmm_rewrite.awk DESTINATION ${ntmm_data_dir})
install(FILES cmake/ntmm.gdb cmake/ntmm.lldb DESTINATION ${ntmm_data_dir})
if(ntmm_has_link_step)
  install(FILES ${PROJECT_BINARY_DIR}/ntmm_pageable.ld DESTINATION ${ntmm_data_dir})
endif()

# pkg-config: from the folder of ntmm.pc up to the prefix; a library folder outside the prefix is named as it is.
set(ntmm_pc_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
cmake_path(IS_ABSOLUTE CMAKE_INSTALL_LIBDIR ntmm_libdir_is_elsewhere)
if(ntmm_libdir_is_elsewhere)
  set(ntmm_pc_prefix ${CMAKE_INSTALL_PREFIX})
else()
  cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX BASE_DIRECTORY ${CMAKE_INSTALL_PREFIX}/${ntmm_pc_dir} OUTPUT_VARIABLE ntmm_pc_up)
  set(ntmm_pc_prefix "\${pcfiledir}/${ntmm_pc_up}")
endif()
set(ntmm_pc_libdir "\${prefix}")
cmake_path(APPEND ntmm_pc_libdir ${CMAKE_INSTALL_LIBDIR})
set(ntmm_pc_includedir "\${prefix}")
cmake_path(APPEND ntmm_pc_includedir ${CMAKE_INSTALL_INCLUDEDIR})
set(ntmm_pc_private -pthread)
foreach(library ${CMAKE_DL_LIBS})
  string(APPEND ntmm_pc_private " -l${library}")
endforeach()
set(ntmm_pc_pageable "")
if(ntmm_has_link_step)
  set(ntmm_pc_pageable " -Wl,-T,\${prefix}/${ntmm_data_dir}/ntmm_pageable.ld")
endif()
configure_file(cmake/ntmm.pc.in ntmm.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/ntmm.pc DESTINATION ${ntmm_pc_dir})
