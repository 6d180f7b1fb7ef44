# Options, and the compiler and linker settings of the whole tree.

option(FAIRLEAD_BUILD_TESTS "Build the tests, their helpers and the examples of the docs"
       ${PROJECT_IS_TOP_LEVEL})
option(FAIRLEAD_FUZZ "Build the libFuzzer programs of tests/fuzz (clang only)" OFF)
option(FAIRLEAD_COVERAGE "Instrument for gcov" OFF)
option(FAIRLEAD_CCACHE "Compile through ccache where it is installed" ON)
option(FAIRLEAD_MOLD "Link with mold where it is installed" ON)
set(FAIRLEAD_TEST_FOLDERS "" CACHE STRING "Folders of tests/ to build, all if empty")
set(FAIRLEAD_SANITIZE
    ""
    CACHE STRING "Sanitizers for the whole tree, as for -fsanitize (\"address,undefined\", \"thread\")")

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Build type" FORCE)
endif()

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

set(fairlead_is_gcc $<CXX_COMPILER_ID:GNU>)
set(fairlead_is_clang $<CXX_COMPILER_ID:Clang>)

add_compile_options(-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror)
# GCC 12 reports these for plain std::string concatenation, depending on what it inlined (GCC bug 105651);
# clang and the sanitizers watch the bounds.
add_compile_options(
  "$<${fairlead_is_gcc}:-Wno-restrict;-Wno-array-bounds;-Wno-stringop-overflow;-Wno-stringop-overread>")
# GoogleTest's parametrised suites call variadic macros with nothing in the dots, as C++20 allows.
add_compile_options($<${fairlead_is_clang}:-Wno-gnu-zero-variadic-macro-arguments>)
add_compile_definitions($<$<CONFIG:Debug>:_GLIBCXX_ASSERTIONS>)

if(FAIRLEAD_SANITIZE)
  add_compile_options(-fsanitize=${FAIRLEAD_SANITIZE} -fno-sanitize-recover=all
                      -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${FAIRLEAD_SANITIZE})
  # Instrumented code hides the initialisation from GCC's flow analysis.
  add_compile_options($<${fairlead_is_gcc}:-Wno-maybe-uninitialized>)
  if(FAIRLEAD_SANITIZE MATCHES "thread")
    # GCC warns that TSan does not model atomic_thread_fence; the fences stay.
    add_compile_options($<${fairlead_is_gcc}:-Wno-tsan>)
  endif()
endif()

if(FAIRLEAD_COVERAGE)
  # Atomic counters: broker and guest run as threads of one process in many tests.
  add_compile_options(--coverage -fprofile-update=atomic)
  add_link_options(--coverage)
endif()

if(FAIRLEAD_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "FAIRLEAD_FUZZ needs clang (libFuzzer): use the preset \"fuzz\".")
  endif()
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

if(FAIRLEAD_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  find_program(FAIRLEAD_CCACHE_PROGRAM ccache)
  mark_as_advanced(FAIRLEAD_CCACHE_PROGRAM)
  if(FAIRLEAD_CCACHE_PROGRAM)
    # The sloppiness is what ccache asks for when precompiled headers are in use.
    set(CMAKE_CXX_COMPILER_LAUNCHER
        ${CMAKE_COMMAND} -E env
        CCACHE_SLOPPINESS=pch_defines,time_macros
        ${FAIRLEAD_CCACHE_PROGRAM})
    set(FAIRLEAD_PCH_COMPILE_OPTIONS $<${fairlead_is_gcc}:-fpch-preprocess>)
  endif()
endif()

if(FAIRLEAD_MOLD)
  find_program(FAIRLEAD_MOLD_PROGRAM mold)
  mark_as_advanced(FAIRLEAD_MOLD_PROGRAM)
  if(FAIRLEAD_MOLD_PROGRAM)
    add_link_options(-fuse-ld=mold)
  endif()
endif()
