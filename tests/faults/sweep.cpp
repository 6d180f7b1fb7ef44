#include "sweep.hpp"

#include <sys/syscall.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <mutex>
#include <random>
#include <thread>

namespace fairlead::test {
namespace {

using Clock = std::chrono::steady_clock;

struct Trial {
  SystemCall call;
  Fault fault;
  Strictness strictness;
};

// Each runs the scene a little differently: what its threads meet depends on the clock.
constexpr int kRecordings = 3;
constexpr auto kProgressEvery = std::chrono::seconds(10);

// Who cannot look whether a file is its own, or cannot remove it, leaves it to the next broker.
bool may_leave_something(long call) noexcept {
  return call == SYS_unlink || call == SYS_newfstatat || call == SYS_fstat || call == SYS_flock;
}

std::string text_of_seconds(double seconds) {
  return std::to_string(std::lround(seconds * 10) / 10) + "." +
         std::to_string(std::lround(seconds * 10) % 10) + " s";
}

std::string text_of(const Trial& trial) {
  return name_of(trial.call) + " " + errno_name(trial.fault.error) + " #" +
         std::to_string(trial.fault.occurrence) + " at " + std::to_string(trial.fault.site);
}

void add_trials(const CallPlace& place, const SweepOptions& options, SweepSummary& summary,
                std::vector<Trial>& trials) {
  if (options.shortage) {
    const Shortage& shortage = *options.shortage;
    const long call = place.call.number;
    if (std::find(shortage.calls.begin(), shortage.calls.end(), call) == shortage.calls.end())
      return;
    trials.push_back({place.call,
                      {place.site, 1, shortage.error, call, shortage.calls},
                      {.unnoticed = false, .whole_process = true, .leftovers_allowed = false}});
    return;
  }
  const Errnos* errnos = errnos_of(place.call);
  if (errnos == nullptr) {
    summary.unknown_calls.push_back(name_of(place.call));
    return;
  }
  const int most =
      options.most_occurrences == 0 ? place.times : std::min(place.times, options.most_occurrences);
  for (int occurrence = 1; occurrence <= most; ++occurrence) {
    const auto add = [&](int error, bool unnoticed) {
      const long call = place.call.number;
      trials.push_back({place.call,
                        {place.site, occurrence, error, call},
                        {.unnoticed = unnoticed,
                         .whole_process = false,
                         .leftovers_allowed = may_leave_something(call)}});
    };
    for (const int error : errnos->unnoticed) add(error, true);
    for (const int error : errnos->told) add(error, false);
  }
}

std::vector<Trial> record(Scene& scene, const SweepOptions& options, SweepSummary& summary) {
  std::map<std::uint64_t, CallPlace> places;
  for (int recording = 0; recording < kRecordings; ++recording) {
    const Outcome outcome = scene.run({}, {.unnoticed = true});
    for (const std::string& problem : outcome.problems)
      summary.failures.push_back("without a fault: " + problem + "; " + outcome.said);
    for (const CallPlace& place : outcome.report.places) {
      CallPlace& known = places.try_emplace(place.site, place).first->second;
      known.times = std::max(known.times, place.times);
    }
  }
  std::vector<Trial> trials;
  for (const auto& [site, place] : places) add_trials(place, options, summary, trials);
  summary.places = static_cast<int>(places.size());
  return trials;
}

void count(const Outcome& outcome, SweepSummary& summary) {
  ++summary.runs;
  if (!outcome.report.struck) return;
  ++summary.struck;
  if (outcome.report.code != 0) {
    ++summary.refused;
  } else if (!outcome.sufferers.empty()) {
    ++summary.suffered;
  } else {
    ++summary.unnoticed;
  }
}

// All trials, by as many threads as the options say.
class Trials {
 public:
  Trials(Scene& scene, const SweepOptions& options, const std::vector<Trial>& trials,
         SweepSummary& summary)
      : scene_(scene), options_(options), trials_(trials), summary_(summary) {}

  void run() {
    std::vector<std::thread> others;
    for (int thread = 1; thread < options_.threads; ++thread)
      others.emplace_back([this] { work(); });
    work();
    for (std::thread& other : others) other.join();
    summary_.seconds = seconds_since(begin_);
  }

 private:
  static double seconds_since(Clock::time_point moment) {
    return std::chrono::duration<double>(Clock::now() - moment).count();
  }

  void work() {
    for (;;) {
      const std::size_t index = next_++;
      if (index >= trials_.size()) break;
      if (options_.count > 0 && index >= options_.count) break;
      if (options_.seconds > 0 && seconds_since(begin_) > options_.seconds) break;
      const auto from = Clock::now();
      const Outcome outcome =
          scene_.run({.fault = trials_[index].fault}, trials_[index].strictness);
      const std::lock_guard lock(mutex_);
      note(trials_[index], outcome, seconds_since(from));
    }
  }

  void note(const Trial& trial, const Outcome& outcome, double took) {
    count(outcome, summary_);
    if (took > summary_.slowest_seconds) {
      summary_.slowest_seconds = took;
      summary_.slowest = text_of(trial);
    }
    if (!outcome.problems.empty()) {
      std::string all = scene_.name() + ", " + text_of(trial) + ":";
      for (const std::string& problem : outcome.problems) all += "\n  problem: " + problem;
      for (const std::string& each : outcome.sufferers) all += "\n  suffered: " + each;
      summary_.failures.push_back(all + "\n" + outcome.said);
      if (options_.progress) options_.progress(summary_.failures.back());
    }
    if (!options_.progress || Clock::now() < next_progress_) return;
    options_.progress(scene_.name() + ": " + std::to_string(summary_.runs) + " of " +
                      std::to_string(trials_.size()) + " runs, " +
                      std::to_string(summary_.failures.size()) + " failures");
    next_progress_ = Clock::now() + kProgressEvery;
  }

  Scene& scene_;
  const SweepOptions& options_;
  const std::vector<Trial>& trials_;
  const Clock::time_point begin_ = Clock::now();
  std::atomic<std::size_t> next_{0};
  std::mutex mutex_;
  SweepSummary& summary_;  // guarded by mutex_, as is the next
  Clock::time_point next_progress_ = begin_ + kProgressEvery;
};

}  // namespace

Shortage shortage_of_memory() {
  return {"memory", ENOMEM, {SYS_mmap, SYS_brk, SYS_mremap, SYS_clone3, SYS_clone}};
}
Shortage shortage_of_descriptors() {
  return {"descriptors",
          EMFILE,
          {SYS_openat, SYS_socket, SYS_socketpair, SYS_accept4, SYS_eventfd2, SYS_epoll_create1,
           SYS_memfd_create, SYS_pidfd_open, SYS_pipe2}};
}
Shortage shortage_of_space() { return {"space", ENOSPC, {SYS_fallocate, SYS_ftruncate}}; }

SweepSummary sweep(Scene& scene, const SweepOptions& options) {
  SweepSummary summary;
  std::vector<Trial> trials = record(scene, options, summary);
  if (options.shuffled) {
    std::mt19937_64 random(options.seed);
    std::shuffle(trials.begin(), trials.end(), random);
  }
  Trials(scene, options, trials, summary).run();
  return summary;
}

std::string SweepSummary::text() const {
  return std::to_string(places) + " places, " + std::to_string(runs) + " runs, " +
         std::to_string(struck) + " struck, " + std::to_string(unnoticed) + " unnoticed, " +
         std::to_string(suffered) + " with one sufferer, " + std::to_string(refused) +
         " ended by an error, " + std::to_string(failures.size()) + " failures, " +
         text_of_seconds(seconds) + " (" + text_of_seconds(slowest_seconds) + " for " + slowest +
         ")";
}

}  // namespace fairlead::test
