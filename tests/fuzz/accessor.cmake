# Of the rooms it links the hooked build alone; what it plays is shared with tests/hostile.
set(hostile "${CMAKE_CURRENT_SOURCE_DIR}/../hostile")
include("${hostile}/hooked.cmake")
target_sources(fuzz_accessor PRIVATE "${hostile}/honest_guest.cpp" "${hostile}/single_operations.cpp"
                                     "${hostile}/stage.cpp" "${hostile}/tampering.cpp"
                                     "${hostile}/words.cpp")
set_target_properties(fuzz_accessor PROPERTIES LINK_LIBRARIES fairlead_hooked)
