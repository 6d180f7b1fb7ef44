# Three minutes where the broker runs under ASan and UBSan; else only that it works at all.
set(siege_seconds 5)
if(FAIRLEAD_SANITIZE MATCHES "address")
  set(siege_seconds 180)
endif()
# Its processes want more than one processor, and it is the longest: it should begin first.
set(FAIRLEAD_TEST_PROPERTIES COST 1000 TIMEOUT 600)
foreach(target IN ITEMS ${name}_test ${soak_targets})
  target_sources(${target} PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}/daemon/daemon_process.cpp")
  target_compile_definitions(${target} PRIVATE HOSTILE_SECONDS=${siege_seconds})
  add_dependencies(${target} fairlead fairlead-broker)
endforeach()
