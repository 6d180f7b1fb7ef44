# One room = one static library. Sources are found by globbing, so that a new file needs no edit here.

# fairlead_add_library(<name> [EXCLUDE <file>...] [PUBLIC <lib>...] [PRIVATE <lib>...])
# Makes fairlead_<name> (alias fairlead::<name>) out of src/**/*.cpp and include/.
function(fairlead_add_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "EXCLUDE;PUBLIC;PRIVATE")
  set(target fairlead_${name})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/src/*.cpp")
  list(TRANSFORM arg_EXCLUDE PREPEND "${CMAKE_CURRENT_SOURCE_DIR}/")
  list(REMOVE_ITEM sources ${arg_EXCLUDE})

  if(sources)
    add_library(${target} STATIC ${sources})
    target_include_directories(${target} PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}/src")
    target_compile_definitions(${target} PRIVATE FAIRLEAD_VERSION="${PROJECT_VERSION}")
    target_link_libraries(${target} PRIVATE ${arg_PRIVATE})
    set(scope PUBLIC)
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
  endif()
  add_library(fairlead::${name} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name})
  target_compile_features(${target} ${scope} cxx_std_20)
  target_include_directories(
    ${target} ${scope} "$<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include>"
    "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")
  target_link_libraries(${target} ${scope} ${arg_PUBLIC})
endfunction()

# fairlead_add_program(<name> <main file> [<lib>...])
# Makes the program bin/<name>; does nothing while the main file does not exist.
function(fairlead_add_program name main_file)
  file(GLOB main CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/${main_file}")
  if(NOT main)
    return()
  endif()
  add_executable(${name} ${main})
  target_include_directories(${name} PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}/src")
  target_compile_definitions(${name} PRIVATE FAIRLEAD_VERSION="${PROJECT_VERSION}")
  target_link_libraries(${name} PRIVATE ${ARGN})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
  install(TARGETS ${name} RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
endfunction()
