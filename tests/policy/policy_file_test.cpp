// Reading a policy from a file.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include <fairlead/broker/policy.hpp>

#include "minimal_policy.hpp"

namespace fairlead::broker {
namespace {

// A file of the test's own, removed with it.
class PolicyFile : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = std::filesystem::temp_directory_path() / "fairlead-policy-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path write(std::string_view text) {
    const std::filesystem::path path = folder_ / "p.toml";
    std::ofstream(path) << text;
    chmod(path.c_str(), 0600);
    return path;
  }

  std::filesystem::path folder_;
};

std::string failure_of(const std::filesystem::path& path, ErrorCode expected) {
  try {
    (void)Policy::load(path, kOwnUid);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), expected) << error.what();
    return error.what();
  }
  return "no exception";
}

TEST_F(PolicyFile, is_loaded) {
  EXPECT_EQ(Policy::load(write(kMinimal), kOwnUid).principals().size(), 1U);
}

TEST_F(PolicyFile, names_itself_in_its_problems) {
  const std::filesystem::path path = write("[[principal]]\nname = 'alice'\n");
  EXPECT_EQ(failure_of(path, ErrorCode::policy_invalid),
            path.string() +
                ":1:1: nobody could attach as this [[principal]]: give it a 'uid', a 'gid' or "
                "minted = true");
}

TEST_F(PolicyFile, that_is_missing_is_not_found) {
  EXPECT_EQ(failure_of("/nonexistent/p.toml", ErrorCode::not_found),
            "there is no policy file '/nonexistent/p.toml'");
}

TEST_F(PolicyFile, that_is_no_file_is_refused) {
  EXPECT_EQ(failure_of(folder_, ErrorCode::policy_invalid),
            folder_.string() + ": this is not a regular file");
  const std::filesystem::path pipe = folder_ / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(failure_of(pipe, ErrorCode::policy_invalid),
            pipe.string() + ": this is not a regular file");
}

TEST_F(PolicyFile, that_everybody_may_write_is_refused) {
  const std::filesystem::path path = write(kMinimal);
  chmod(path.c_str(), 0602);
  EXPECT_EQ(
      failure_of(path, ErrorCode::policy_invalid),
      path.string() + ": everybody may write this file, so it cannot be a policy: chmod o-w it");
}

TEST_F(PolicyFile, of_more_than_a_mebibyte_is_refused) {
  const std::string most = std::string(kMinimal) + "#" + std::string(1024 * 1024, 'x');
  const std::filesystem::path path = write(most.substr(0, 1024 * 1024));
  EXPECT_EQ(Policy::load(path, kOwnUid).principals().size(), 1U);
  write(most.substr(0, 1024 * 1024 + 1));
  EXPECT_EQ(failure_of(path, ErrorCode::policy_invalid),
            path.string() + ": this is larger than 1 MiB, hardly a policy");
}

}  // namespace
}  // namespace fairlead::broker
