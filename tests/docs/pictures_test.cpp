// The pictures in docs/pictures are what the script beside them draws.
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <string>

#include <gtest/gtest.h>

namespace fairlead {
namespace {

struct Ran {
  int exit_code = -1;
  std::string output;
};

Ran run(const std::string& command) {
  Ran ran;
  std::FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return ran;
  std::array<char, 256> line;
  while (std::fgets(line.data(), line.size(), pipe) != nullptr) ran.output += line.data();
  const int status = ::pclose(pipe);
  if (WIFEXITED(status)) ran.exit_code = WEXITSTATUS(status);
  return ran;
}

TEST(Pictures, are_what_their_script_draws) {
  if (run("python3 --version").exit_code != 0) GTEST_SKIP() << "python3 is not installed";
  const Ran check = run("python3 '" FAIRLEAD_SOURCE_DIR "/docs/pictures/make' --check");
  EXPECT_EQ(check.exit_code, 0) << check.output;
}

}  // namespace
}  // namespace fairlead
