# What fairlead is built from. Everything is a Debian package; nothing is downloaded or vendored.
# All that is missing is reported at once, by the name of the package that brings it.

set(fairlead_missing_packages "")

# fairlead_need(<CMake package> <Debian package> [<version>] [<find_package options>...])
macro(fairlead_need package debian_package)
  find_package(${package} ${ARGN} QUIET)
  if(NOT ${package}_FOUND)
    list(APPEND fairlead_missing_packages ${debian_package})
  endif()
endmacro()

set(THREADS_PREFER_PTHREAD_FLAG ON)
fairlead_need(Threads libc6-dev)
fairlead_need(Boost libboost-dev 1.74)
fairlead_need(spdlog libspdlog-dev CONFIG)
fairlead_need(tomlplusplus libtomlplusplus-dev CONFIG)
fairlead_need(nlohmann_json nlohmann-json3-dev CONFIG)
fairlead_need(cxxopts libcxxopts-dev CONFIG)
# Only for the program `fairlead`, so no installed package asks for it.
fairlead_need(PkgConfig pkg-config)
if(PkgConfig_FOUND)
  pkg_check_modules(libseccomp QUIET IMPORTED_TARGET libseccomp>=2.5)
endif()
if(NOT TARGET PkgConfig::libseccomp)
  list(APPEND fairlead_missing_packages libseccomp-dev)
endif()
if(FAIRLEAD_BUILD_TESTS)
  fairlead_need(GTest libgtest-dev CONFIG)
  if(GTest_FOUND AND NOT TARGET GTest::gmock)
    list(APPEND fairlead_missing_packages libgmock-dev)
  endif()
endif()

if(fairlead_missing_packages)
  list(JOIN fairlead_missing_packages " " fairlead_missing_packages)
  message(
    FATAL_ERROR
      "fairlead needs packages that are not installed (or too old). On Debian:\n"
      "  apt-get install ${fairlead_missing_packages}\n"
      "or run tools/setup, which installs everything that the build needs.")
endif()
