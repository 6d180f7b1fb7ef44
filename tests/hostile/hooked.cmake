# What of the broker reads guests' memory, built so that each load can be tampered with (untrusted.hpp).
# It is linked instead of the rooms, never beside them: the two define the same functions.
if(NOT TARGET fairlead_hooked)
  file(GLOB hooked_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/shm/src/*.cpp"
       "${PROJECT_SOURCE_DIR}/broker/src/delivery/*.cpp"
       "${PROJECT_SOURCE_DIR}/broker/src/outbox/*.cpp"
       "${PROJECT_SOURCE_DIR}/broker/src/routing/*.cpp")
  add_library(
    fairlead_hooked STATIC
    ${hooked_sources} "${PROJECT_SOURCE_DIR}/broker/src/attach/outbox_memory.cpp"
    "${PROJECT_SOURCE_DIR}/broker/src/attach/segment_stamp.cpp")
  target_include_directories(
    fairlead_hooked
    PUBLIC "${PROJECT_SOURCE_DIR}/shm/include" "${PROJECT_SOURCE_DIR}/broker/include"
           "${PROJECT_SOURCE_DIR}/shm/src" "${PROJECT_SOURCE_DIR}/broker/src"
           "${PROJECT_SOURCE_DIR}/tests")
  target_compile_definitions(fairlead_hooked PUBLIC FAIRLEAD_UNTRUSTED_HOOK)
  target_link_libraries(fairlead_hooked PUBLIC Boost::headers Threads::Threads rt)
endif()
