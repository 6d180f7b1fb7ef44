// The README's host and guest, run together; and that the README shows these very files.
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <fairlead/shm/unique_fd.hpp>

#include "support/child_process.hpp"

extern char** environ;

namespace fairlead {
namespace {

/// A program with pipes to its input and from its output.
class Program {
 public:
  explicit Program(const std::vector<std::string>& command) {
    int input[2];
    int output[2];
    EXPECT_EQ(::pipe2(input, O_CLOEXEC), 0);
    EXPECT_EQ(::pipe2(output, O_CLOEXEC), 0);
    const shm::UniqueFd child_input(input[0]);
    const shm::UniqueFd child_output(output[1]);
    input_.reset(input[1]);
    output_.reset(output[0]);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, child_input.get(), 0);
    ::posix_spawn_file_actions_adddup2(&actions, child_output.get(), 1);
    std::vector<char*> arguments;
    for (const auto& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    EXPECT_EQ(::posix_spawn(&pid_, arguments[0], &actions, nullptr, arguments.data(), environ), 0);
    ::posix_spawn_file_actions_destroy(&actions);
  }
  ~Program() {
    if (!test::send_signal(pid_, SIGKILL)) return;
    ::waitpid(pid_, nullptr, 0);
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  void write_line(const std::string& line) {
    const std::string text = line + "\n";
    EXPECT_EQ(::write(input_.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  void end_input() { input_.reset(); }

  /// Blocks; empty at the end of the output.
  std::string read_line() {
    std::string line;
    char c = 0;
    while (::read(output_.get(), &c, 1) == 1 && c != '\n') line += c;
    return line;
  }
  int exit_code() {
    int status = 0;
    ::waitpid(std::exchange(pid_, -1), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

 private:
  pid_t pid_ = -1;
  shm::UniqueFd input_;
  shm::UniqueFd output_;
};

TEST(Examples, the_readmes_host_and_guest_talk_to_each_other_and_leave_nothing) {
  const std::string name = "example-" + std::to_string(::getpid());
  const std::string socket = "/tmp/fairlead-" + name + ".sock";
  const std::string folder = FAIRLEAD_EXAMPLES_DIR;
  Program host({folder + "/host", name, socket});
  host.write_line("is anybody there?");
  ASSERT_EQ(host.read_line(), "0 of 0 routes took it");
  Program guest({folder + "/guest", socket});
  // The guest subscribes when it likes.
  int lines = 0;
  std::string answer;
  do {
    host.write_line("line " + std::to_string(++lines));
    answer = host.read_line();
    ASSERT_FALSE(answer.empty());
  } while (answer == "0 of 0 routes took it");
  EXPECT_EQ(answer, "1 of 1 routes took it");
  EXPECT_EQ(guest.read_line(), "alice: line " + std::to_string(lines));
  host.end_input();
  EXPECT_EQ(host.exit_code(), 0);
  EXPECT_EQ(guest.read_line(), "");
  EXPECT_EQ(guest.exit_code(), 0);
  EXPECT_FALSE(std::filesystem::exists(socket));
  for (const auto& entry : std::filesystem::directory_iterator("/dev/shm")) {
    EXPECT_EQ(entry.path().string().find(name), std::string::npos) << entry.path();
  }
}

std::string content_of(const std::string& path) {
  std::ifstream file(std::string(FAIRLEAD_SOURCE_DIR) + "/" + path);
  EXPECT_TRUE(file) << path << " cannot be read";
  return {std::istreambuf_iterator<char>(file), {}};
}

/// What stands between "```cpp" and "```".
std::vector<std::string> code_blocks(const std::string& markdown) {
  std::vector<std::string> blocks;
  const std::string open = "```cpp\n";
  for (std::size_t at = markdown.find(open); at != std::string::npos;
       at = markdown.find(open, at)) {
    at += open.size();
    const std::size_t end = markdown.find("```", at);
    if (end == std::string::npos) break;
    blocks.push_back(markdown.substr(at, end - at));
    at = end;
  }
  return blocks;
}

TEST(Examples, the_readme_shows_host_and_guest_as_they_are_compiled) {
  const auto blocks = code_blocks(content_of("README.md"));
  const std::vector<std::string> expected = {content_of("docs/examples/host.cpp"),
                                             content_of("docs/examples/guest.cpp")};
  EXPECT_EQ(blocks, expected) << "README.md has other code than docs/examples, or in other order";
}

TEST(Examples, are_short) {
  for (const char* file : {"docs/examples/host.cpp", "docs/examples/guest.cpp"}) {
    const std::string text = content_of(file);
    EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 22) << file;
  }
}

}  // namespace
}  // namespace fairlead
