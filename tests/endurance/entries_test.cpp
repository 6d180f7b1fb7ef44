// The list of tests/soak: everything in it is there, and everything that should be is in it.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "support/program.hpp"

namespace fairlead::test {
namespace {

const std::filesystem::path kSource = FAIRLEAD_SOURCE_DIR;

struct SoakEntry {
  std::string name;
  std::string preset;
  std::string target;
  std::string program;
  std::string arguments;
};

std::vector<SoakEntry> entries() {
  const Ended listed =
      run_to_end({"/usr/bin/python3", FAIRLEAD_SOURCE_DIR "/tests/soak", "--list"});
  EXPECT_EQ(listed.code, 0) << listed.error;
  std::vector<SoakEntry> found;
  std::istringstream lines(listed.output);
  for (SoakEntry entry; lines >> entry.name >> entry.preset >> entry.target >> entry.program &&
                        std::getline(lines, entry.arguments);)
    found.push_back(entry);
  return found;
}

std::string text_of_file(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::set<std::string> configure_presets() {
  std::set<std::string> names;
  const auto presets = nlohmann::json::parse(text_of_file(kSource / "CMakePresets.json"));
  for (const auto& preset : presets.at("configurePresets")) names.insert(preset.at("name"));
  return names;
}

// What the build makes of a target; all presets are of one tree, so this one knows all targets. It
// need not have been built.
std::string made_by(const std::string& target) {
  const Ended asked =
      run_to_end({"/usr/bin/env", "ninja", "-C", FAIRLEAD_BUILD_DIR, "-t", "query", target});
  EXPECT_EQ(asked.code, 0) << asked.error;
  return asked.output;
}

// Names of tests/<folder>/*<ending>, or of tests/*/*<ending>, without the ending.
std::set<std::string> files(const std::string& folder, const std::string& ending) {
  std::set<std::string> names;
  for (const auto& each : std::filesystem::recursive_directory_iterator(kSource / "tests")) {
    const std::string name = each.path().filename();
    if (name.ends_with(ending) &&
        (folder.empty() || each.path().parent_path().filename() == folder))
      names.insert(name.substr(0, name.size() - ending.size()));
  }
  return names;
}

TEST(SoakList, every_entry_names_a_preset_a_target_and_a_program_that_exist) {
  const std::set<std::string> presets = configure_presets();
  const auto all = entries();
  ASSERT_GT(all.size(), 10U);
  for (const SoakEntry& entry : all) {
    EXPECT_THAT(presets, testing::Contains(entry.preset)) << entry.name;
    const std::string made = made_by(entry.target);
    if (entry.program.starts_with("./")) {
      EXPECT_EQ(::access((kSource / entry.program).c_str(), X_OK), 0) << entry.name;
    } else {
      EXPECT_THAT(made, testing::HasSubstr("    " + entry.program + "\n")) << entry.name;
    }
  }
}

TEST(SoakList, every_entry_takes_seed_and_time) {
  for (const SoakEntry& entry : entries()) {
    EXPECT_THAT(entry.arguments, testing::HasSubstr("--seed '{seed}'")) << entry.name;
    EXPECT_THAT(entry.arguments, testing::HasSubstr("--seconds '{seconds}'")) << entry.name;
  }
}

TEST(SoakList, has_every_fuzz_target_and_every_program_of_large_figures) {
  std::set<std::string> listed;
  for (const SoakEntry& entry : entries()) listed.insert(entry.name);
  for (const std::string& name : files("fuzz", ".cpp"))
    EXPECT_THAT(listed, testing::Contains("fuzz_" + name));
  for (const std::string& name : files("", "_main.cpp"))
    EXPECT_THAT(listed, testing::Contains(name));
  for (const auto& folder : std::filesystem::directory_iterator(kSource / "tests/soaks")) {
    if (!folder.is_directory()) continue;
    EXPECT_THAT(listed, testing::Contains(folder.path().filename().string()));
  }
}

TEST(SoakList, is_explained_entry_by_entry) {
  const std::string page = text_of_file(kSource / "docs/soak.md");
  for (const SoakEntry& entry : entries()) {
    const bool fuzz = entry.name.starts_with("fuzz_");
    EXPECT_THAT(page, testing::HasSubstr("| `" + (fuzz ? "fuzz_*" : entry.name) + "` |"));
  }
}

}  // namespace
}  // namespace fairlead::test
