#include "sandbox/launcher.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>

#include <fairlead/shm/error.hpp>

#include "program.hpp"
#include "run/child_runner.hpp"
#include "run/run_command.hpp"
#include "sandbox/call_filter.hpp"

namespace fairlead::tools::sandbox {
namespace {

constexpr const char* kRunName = "fairlead run";
constexpr rlim_t kMostDescriptors = 4'096;

Launch launch_of(int count, const char* const* arguments) {
  std::vector<std::string> words(arguments + 1, arguments + count);
  const auto end = std::find(words.begin(), words.end(), "--");
  if (end - words.begin() < 4 || words.end() - end < 3) {
    throw Error(ErrorCode::invalid_argument, "sandbox-launch is for fairlead run only");
  }
  Launch launch;
  launch.keeper = std::stoi(words[0]);
  launch.connection = std::stoi(words[1]);
  launch.reconnection = std::stoi(words[2]);
  launch.needs_landlock = words[3] == "require";
  for (auto rule = words.begin() + 4; rule != end; ++rule) {
    launch.rules.push_back({rule->substr(2), rule->starts_with("x:")});
  }
  launch.file = *(end + 1);
  launch.words.assign(end + 2, words.end());
  return launch;
}

void close_range_of(int first, int last) {
  if (first <= last) ::close_range(static_cast<unsigned>(first), static_cast<unsigned>(last), 0);
}

// Whatever our own parents left open is not for the guest.
void close_others(const Launch& launch) {
  std::array kept = {launch.keeper, launch.connection, launch.reconnection};
  std::sort(kept.begin(), kept.end());
  int first = STDERR_FILENO + 1;
  for (const int descriptor : kept) {
    close_range_of(first, descriptor - 1);
    first = descriptor + 1;
  }
  if (::close_range(static_cast<unsigned>(first), ~0U, 0) != 0) {
    throw_system("cannot close inherited descriptors");
  }
}

// False when it is required and not there.
bool close_files(const Launch& launch) {
  if (landlock_version() > 0) {
    restrict_files(launch.rules);
    return true;
  }
  report(kRunName, launch.needs_landlock
                       ? "this kernel has no Landlock, which --require-landlock asks for"
                       : "this kernel has no Landlock; the sandbox does without");
  return !launch.needs_landlock;
}

// Tells the keeper who we are, and waits until it has a hold on us: a signal that it gets is ours.
void meet_keeper(int keeper) {
  char byte = 1;
  if (::send(keeper, &byte, 1, MSG_NOSIGNAL) != 1 || ::recv(keeper, &byte, 1, 0) != 1) {
    throw_system("fairlead run is gone");
  }
  ::close(keeper);
}

// The program under a number that no later descriptor can have, because the limit is that number.
// Who wants to start another program would have to put it there.
int out_of_reach(int program) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  const rlim_t number = std::min(limit.rlim_max - 1, kMostDescriptors);
  const int moved = ::dup3(program, static_cast<int>(number), O_CLOEXEC);
  limit = {number, number};
  if (moved < 0 || ::setrlimit(RLIMIT_NOFILE, &limit) != 0) {
    throw_system("cannot keep CMD's descriptor out of reach");
  }
  ::close(program);
  return moved;
}

}  // namespace

std::vector<std::string> arguments_of(const Launch& launch) {
  std::vector<std::string> words = {
      kLaunchCommand, std::to_string(launch.keeper), std::to_string(launch.connection),
      std::to_string(launch.reconnection), launch.needs_landlock ? "require" : "prefer"};
  for (const FileRule& rule : launch.rules) {
    words.push_back((rule.execute ? "x:" : "r:") + rule.path);
  }
  words.insert(words.end(), {"--", launch.file});
  words.insert(words.end(), launch.words.begin(), launch.words.end());
  return words;
}

int run_launcher(int count, const char* const* arguments) {
  const Launch launch = launch_of(count, arguments);
  close_others(launch);
  if (!close_files(launch)) return kRunFailed;
  const int program = ::open(launch.file.c_str(), O_PATH | O_CLOEXEC);
  if (program < 0) return cannot_start(launch.file, errno);
  std::vector<char*> words;
  // POSIX promises not to write through them.
  for (const std::string& word : launch.words) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  meet_keeper(launch.keeper);
  const int moved = out_of_reach(program);
  load_call_filter(moved);
  ::execveat(moved, "", words.data(), environ, AT_EMPTY_PATH);
  return cannot_start(launch.file, errno);
}

}  // namespace fairlead::tools::sandbox
