// A program that runs under ptrace(2): each of its system calls is noted, and one is made to fail.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fairlead/shm/unique_fd.hpp>

#include "errnos.hpp"

namespace fairlead::test {

/// A call and from where it is made; the same in every run.
struct CallPlace {
  SystemCall call;  // the first time
  std::uint64_t site = 0;
  int times = 0;  // how often in this run
};

struct Fault {
  std::uint64_t site = 0;
  int occurrence = 1;  // of that site, counted from 1
  int error = 0;
  long call = -1;  // that fails there
  /// From then on these fail, too, wherever they are made: memory that is used up, for one.
  std::vector<long> as_well{};
};

struct TraceOptions {
  std::vector<std::string> command{};
  std::vector<std::string> environment{};  // all of it
  std::string input = "/dev/null";
  std::optional<Fault> fault{};
  std::vector<std::pair<int, rlim_t>> limits{};  // resource, soft and hard
  bool traced = true;
};

struct TraceReport {
  int code = -1;  // exit code, or 128 + signal
  bool hung = false;
  bool struck = false;            // the fault came about
  std::vector<CallPlace> places;  // in the order of their first appearance
};

class TracedProgram {
 public:
  explicit TracedProgram(TraceOptions options);
  /// Kills it if it still runs.
  ~TracedProgram();
  TracedProgram(const TracedProgram&) = delete;
  TracedProgram& operator=(const TracedProgram&) = delete;

  /// Waits until a listen() succeeded; false when the program has ended without.
  [[nodiscard]] bool wait_until_listening();
  [[nodiscard]] bool ended();
  void signal(int number);
  /// Waits for the end, or kills it when that takes too long. Then `hung` is true.
  const TraceReport& finish(std::chrono::nanoseconds most);
  /// Becomes readable when it has ended; only while this object lives.
  [[nodiscard]] int ended_descriptor() const noexcept { return ended_event_.get(); }

  [[nodiscard]] std::string output() const { return text_of(output_.get()); }
  [[nodiscard]] std::string error() const { return text_of(error_.get()); }

 private:
  static std::string text_of(int descriptor);

  const TraceOptions options_;
  shm::UniqueFd output_;
  shm::UniqueFd error_;
  shm::UniqueFd ended_event_;
  std::mutex mutex_;
  std::condition_variable changed_;
  pid_t pid_ = -1;
  bool listening_ = false;
  bool ended_ = false;
  TraceReport report_;
  std::thread thread_;
};

/// Whether this machine lets us trace; the sentence is why not.
[[nodiscard]] std::string why_not_traced();

}  // namespace fairlead::test
