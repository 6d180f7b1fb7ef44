include("${CMAKE_CURRENT_LIST_DIR}/hooked.cmake")
set_target_properties(
  hostile_test PROPERTIES LINK_LIBRARIES "fairlead_hooked;GTest::gtest;GTest::gtest_main"
                          DISABLE_PRECOMPILE_HEADERS ON)
target_compile_definitions(hostile_test PRIVATE FAIRLEAD_SANITIZED=${sanitized})
foreach(target IN LISTS soak_targets)
  target_sources(${target} PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}/support/soak_program.cpp")
  set_target_properties(${target} PROPERTIES LINK_LIBRARIES fairlead_hooked
                                             DISABLE_PRECOMPILE_HEADERS ON)
endforeach()
