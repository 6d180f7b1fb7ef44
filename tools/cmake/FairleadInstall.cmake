# cmake --install: headers, libraries, programs, man pages, find_package(fairlead), pkg-config, systemd.

include(CMakePackageConfigHelpers)
set(fairlead_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/fairlead")

foreach(room IN ITEMS shm broker guest)
  if(IS_DIRECTORY "${PROJECT_SOURCE_DIR}/${room}/include")
    install(DIRECTORY "${PROJECT_SOURCE_DIR}/${room}/include/" TYPE INCLUDE
            FILES_MATCHING PATTERN "*.hpp")
  endif()
endforeach()

install(TARGETS fairlead_shm fairlead_broker fairlead_guest EXPORT fairlead_targets
        ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
install(EXPORT fairlead_targets FILE fairlead-targets.cmake NAMESPACE fairlead::
        DESTINATION "${fairlead_package_dir}")
configure_package_config_file(
  "${CMAKE_CURRENT_LIST_DIR}/fairlead-config.cmake.in" "${PROJECT_BINARY_DIR}/fairlead-config.cmake"
  INSTALL_DESTINATION "${fairlead_package_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/fairlead-config-version.cmake"
                                 COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/fairlead-config.cmake"
              "${PROJECT_BINARY_DIR}/fairlead-config-version.cmake"
        DESTINATION "${fairlead_package_dir}")

# fairlead_install_pkg_config(<room> <description> <packages that it requires>)
function(fairlead_install_pkg_config room description requires)
  get_target_property(type fairlead_${room} TYPE)
  set(libraries "")
  if(NOT type STREQUAL "INTERFACE_LIBRARY")
    set(libraries "-lfairlead_${room} ")
  endif()
  # Relative to the file itself: `cmake --install --prefix` may put the tree anywhere.
  file(RELATIVE_PATH prefix_from_here "/prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/prefix")
  configure_file("${PROJECT_SOURCE_DIR}/tools/cmake/fairlead-room.pc.in"
                 "${PROJECT_BINARY_DIR}/fairlead-${room}.pc" @ONLY)
  install(FILES "${PROJECT_BINARY_DIR}/fairlead-${room}.pc"
          DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
endfunction()

fairlead_install_pkg_config(shm "Shared memory layouts and rings of fairlead" "")
fairlead_install_pkg_config(broker "Embeddable broker of fairlead"
                            "fairlead-shm = ${PROJECT_VERSION}, spdlog, tomlplusplus")
fairlead_install_pkg_config(guest "Guest side of fairlead" "fairlead-shm = ${PROJECT_VERSION}")

file(GLOB fairlead_user_pages CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tools/man/*.1")
file(GLOB fairlead_admin_pages CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tools/man/*.8")
install(FILES ${fairlead_user_pages} DESTINATION "${CMAKE_INSTALL_MANDIR}/man1")
install(FILES ${fairlead_admin_pages} DESTINATION "${CMAKE_INSTALL_MANDIR}/man8")

# To begin with: the unit wants one in /etc/fairlead.
install(FILES "${PROJECT_SOURCE_DIR}/docs/examples/policy.toml"
        DESTINATION "${CMAKE_INSTALL_DATAROOTDIR}/doc/fairlead")

# A unit may say @CMAKE_INSTALL_FULL_BINDIR@ when it is named *.service.in.
file(GLOB fairlead_units CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tools/systemd/*.service")
file(GLOB fairlead_unit_templates CONFIGURE_DEPENDS
     "${PROJECT_SOURCE_DIR}/tools/systemd/*.service.in")
foreach(template IN LISTS fairlead_unit_templates)
  get_filename_component(unit "${template}" NAME_WLE)
  configure_file("${template}" "${PROJECT_BINARY_DIR}/${unit}" @ONLY)
  list(APPEND fairlead_units "${PROJECT_BINARY_DIR}/${unit}")
endforeach()
install(FILES ${fairlead_units} DESTINATION "lib/systemd/system")
