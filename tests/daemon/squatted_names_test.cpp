// Names that the daemon wants and somebody else has: told in one line, with whose it is, and left
// alone.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <fairlead/shm/segment_name.hpp>

#include "daemon_process.hpp"
#include "other_user.hpp"
#include "support/program.hpp"
#include "support/test_broker.hpp"

namespace fairlead::test {
namespace {

namespace fs = std::filesystem;

struct Squatter {
  const char* name;
  const char* kind;  // as the socket's error calls it
  void (*squat)(const std::string& path, const std::string& precious);
};

void PrintTo(const Squatter& squatter, std::ostream* out) { *out << squatter.name; }

void make_socket_file(const std::string& path, const std::string&) {
  const shm::UniqueFd made(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, path.c_str());
  EXPECT_EQ(::bind(made.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
}

const Squatter kSquatters[] = {
    {"file", "a file that is no socket",
     [](const std::string& path, const std::string&) { std::ofstream(path) << "theirs"; }},
    {"link", "a symbolic link",
     [](const std::string& path, const std::string& precious) {
       fs::create_symlink(precious, path);
     }},
    {"dangling_link", "a symbolic link",
     [](const std::string& path, const std::string& precious) {
       fs::create_symlink(precious + "-not-there", path);
     }},
    {"directory", "a directory",
     [](const std::string& path, const std::string&) { fs::create_directory(path); }},
    {"fifo", "a FIFO",
     [](const std::string& path, const std::string&) { ::mkfifo(path.c_str(), 0666); }},
    {"socket", "a socket", make_socket_file},
};

class SquattedName : public testing::TestWithParam<Squatter> {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root to be two users";
    ASSERT_EQ(::chmod(scratch_.path().c_str(), 0777), 0);
    precious_ = scratch_.write("precious", "precious");
  }
  void TearDown() override { fs::remove(squatted_); }

  void squat(const std::string& path) {
    squatted_ = path;
    GetParam().squat(path, precious_);
    ASSERT_EQ(::lchown(path.c_str(), kStranger, kStranger), 0);
    ASSERT_EQ(::lstat(path.c_str(), &before_), 0);
  }

  void expect_left_alone() const {
    struct stat after {};
    ASSERT_EQ(::lstat(squatted_.c_str(), &after), 0);
    EXPECT_EQ(after.st_ino, before_.st_ino);
    EXPECT_EQ(after.st_uid, kStranger);
    EXPECT_EQ(after.st_mode, before_.st_mode);
    EXPECT_EQ(fs::file_size(precious_), 8U);
    EXPECT_FALSE(fs::exists(precious_ + "-not-there"));
  }

  // It cannot begin, and says so in one line with all of these pieces.
  void expect_refusal(Daemon& daemon, int code, const std::vector<std::string>& pieces) {
    EXPECT_EQ(daemon.exit_code(), code);
    const std::string said = daemon.standard_error();
    EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
    for (const std::string& piece : pieces) EXPECT_NE(said.find(piece), said.npos) << said;
    expect_left_alone();
  }

  ScratchDirectory scratch_;
  std::string precious_;
  std::string squatted_;
  struct stat before_ {};
};

TEST_P(SquattedName, of_the_table_is_told_with_its_owner_and_left_alone) {
  const std::string name = unique_broker_name();
  squat(shm::segment_path(shm::table_segment_name(name)));
  Daemon daemon(
      {.arguments = {"--name", name, "--socket", scratch_.path_of("s.sock")}, .plain = true});
  expect_refusal(daemon, 4, {squatted_, "uid 65533", "or choose another name"});
  EXPECT_FALSE(fs::exists(scratch_.path_of("s.sock")));
}

TEST_P(SquattedName, of_the_socket_is_told_with_its_owner_and_left_alone) {
  squat(scratch_.path_of("s.sock"));
  const std::string name = unique_broker_name();
  Daemon daemon({.arguments = {"--name", name, "--socket", squatted_}, .plain = true});
  expect_refusal(daemon, 5,
                 {squatted_, std::string("there is ") + GetParam().kind + ", of uid 65533",
                  "remove it or use another path"});
  EXPECT_FALSE(fs::exists(shm::segment_path(shm::table_segment_name(name))));
}

// Nobody can guess such a name, but somebody may have copied one.
TEST_P(SquattedName, of_a_segment_is_left_alone_by_the_sweep) {
  Daemon killed;
  ASSERT_TRUE(killed.ready());
  killed.signal(SIGKILL);
  EXPECT_EQ(killed.exit_code(), 128 + SIGKILL);
  squat(shm::segment_path(shm::make_segment_name(killed.name(), 1, shm::SegmentKind::route, 1)));
  Daemon next(
      {.arguments = {"--name", killed.name(), "--socket", killed.socket_path()}, .plain = true});
  ASSERT_TRUE(next.ready());
  next.signal(SIGTERM);
  EXPECT_EQ(next.exit_code(), 0);
  expect_left_alone();
}

INSTANTIATE_TEST_SUITE_P(By, SquattedName, testing::ValuesIn(kSquatters),
                         [](const auto& each) { return each.param.name; });

}  // namespace
}  // namespace fairlead::test
