# SPDX-License-Identifier: Apache-2.0
# make install: program, both libraries, headers, pkg-config, find_package(adam), the demo model.
include(CMakePackageConfigHelpers)
install(TARGETS adam RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS adam_shared adam_static EXPORT adam_targets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/adam DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY models DESTINATION ${CMAKE_INSTALL_DATADIR}/adam OPTIONAL)
install(FILES src/presets/presets.ini DESTINATION ${CMAKE_INSTALL_DATADIR}/adam)
# The package file finds its prefix from its own place: cmake --install --prefix may name another.
file(RELATIVE_PATH ADAM_PC_TO_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(cmake/adam.pc.in adam.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/adam.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(EXPORT adam_targets NAMESPACE adam:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/adam)
configure_package_config_file(cmake/adam-config.cmake.in adam-config.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/adam)
write_basic_package_version_file(adam-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/adam-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/adam-config-version.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/adam)

# The generated documents (make docs).
install(FILES docs/man/adam.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES docs/completions/adam.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME adam)
install(FILES docs/completions/_adam DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
install(FILES docs/completions/adam.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
