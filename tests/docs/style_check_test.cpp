// tools/style_check: labels of release/acquire pairs.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

namespace fairlead {
namespace {

namespace fs = std::filesystem;

bool passes(const std::string& source) {
  const fs::path root = fs::temp_directory_path() / ("style-check-" + std::to_string(::getpid()));
  for (const char* folder : {"shm/src", "broker", "guest", "tools", "tests", "docs"})
    fs::create_directories(root / folder);
  std::ofstream(root / "shm/src/a.cpp") << source;
  const std::string tool = (fs::path(FAIRLEAD_SOURCE_DIR) / "tools/style_check").string();
  const int result = std::system((tool + " " + root.string() + " > /dev/null").c_str());
  fs::remove_all(root);
  return WEXITSTATUS(result) == 0;
}

const std::string kFar(12, '\n');

TEST(StyleCheck, asks_for_a_storing_and_a_loading_end_of_every_label) {
  const std::string store = "a.store(1, x);  // sync: one, two" + kFar;
  EXPECT_TRUE(
      passes(store + "b.load(x);  // sync: one" + kFar + "// why  // sync:\n// two\nb.load();"));
  EXPECT_FALSE(passes(store + "b.load(x);  // sync: one\n"));
  EXPECT_FALSE(passes(store + "b.store(1);  // sync: one, two\n"));
}

}  // namespace
}  // namespace fairlead
