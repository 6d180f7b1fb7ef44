// Guests come and go for a long time, some of them by sudden death; nothing may grow: descriptors,
// memory, segments, threads, mappings, of the broker and of guests that stay.
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <exception>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <fairlead/shm/error.hpp>
#include <fairlead/shm/segment_name.hpp>

#include "policy.hpp"
#include "samples.hpp"
#include "state.hpp"
#include "support/child_process.hpp"
#include "support/process_figures.hpp"
#include "support/restarted_broker.hpp"
#include "support/soak_program.hpp"

namespace fairlead::test::churn {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kWorkers = 3;
constexpr double kSamples = 150;
constexpr double kLongestRoundSeconds = 300;
constexpr std::chrono::seconds kPatienceWithWorkers{60};

using Body = void (*)(State&, const Place&);

class Run {
 public:
  explicit Run(const SoakOptions& options)
      : clock_("churn", options),
        options_(options),
        state_(make_state()),
        policy_(files_.write("policy.toml", kPolicy)),
        broker_({"--log-level", "warning", "--policy", policy_}) {}

  ~Run() {
    for (const pid_t child : children_) {
      if (send_signal(child, SIGKILL)) ::waitpid(child, nullptr, 0);
    }
  }

  int run() {
    broker_.start();
    problem_ = broker_.wait_until_ready();
    if (problem_.empty()) {
      for (const Body body :
           {stay_and_check, stay_and_publish, churn_in_one_process, churn_and_die, churn_and_die}) {
        start(body);
      }
    }
    while (problem_.empty() && clock_.goes_on(state_.cycles)) one_round();
    std::string report;
    if (problem_.empty()) report = samples_.report(problem_);
    end();
    std::fprintf(stderr, "%s", report.c_str());
    return clock_.finish(figures(), problem_);
  }

 private:
  void start(Body body) {
    const Place place{broker_.socket(), options_.seed + children_.size(), children_.size()};
    const pid_t child = ::fork();
    if (child < 0) throw_system("fork");
    if (child > 0) {
      children_.push_back(child);
      return;
    }
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    try {
      body(state_, place);
      ::_exit(0);
    } catch (const std::exception& error) {
      state_.fail("worker " + std::to_string(place.worker) + ": " + error.what());
      ::_exit(1);
    }
  }

  // Waits without a limit of its own for what a worker does in a moment.
  template <typename Condition>
  bool wait_until(Condition condition, std::chrono::nanoseconds most = kPatienceWithWorkers) {
    const auto deadline = std::chrono::steady_clock::now() + most;
    while (!condition()) {
      if (state_.failed || std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(500us);
    }
    return true;
  }

  void one_round() {
    const double started = clock_.elapsed();
    const double most = (options_.seconds > 0 ? options_.seconds : 75.0) / kSamples;
    wait_until(
        [&] {
          if (clock_.due()) clock_.show(figures());
          return clock_.elapsed() - started >= std::min(most, kLongestRoundSeconds);
        },
        std::chrono::hours(1));
    state_.rest = true;
    if (!wait_until([this] { return state_.resting == kWorkers; })) {
      problem_ = state_.failed ? state_.problem.data() : "a worker does not come to rest";
      return;
    }
    sample();
    state_.rest = false;
    if (!broker_.alive()) problem_ = "the broker is gone: " + broker_.log();
    if (!wait_until([this] { return state_.resting == 0; })) problem_ = "a worker does not go on";
  }

  void sample() {
    // The broker hears of those who left a moment later. What it keeps for ever shows as growth.
    wait_until([this] { return broker_.segments().size() <= rest_segments_ && settled(); }, 500ms);
    samples_.begin(static_cast<double>(state_.cycles));
    const ProcessFigures broker = figures_of_process(broker_.pid());
    samples_.add_process("broker", broker);
    samples_.touched("broker shared KiB", broker.shared_kib);
    const auto segments = broker_.segments();
    samples_.count("segments", static_cast<double>(segments.size()));
    samples_.kibibytes("segments KiB", kibibytes_of(segments));
    static constexpr std::array kNames = {"reader", "publisher", "guest"};
    for (std::size_t index = 0; index < kNames.size(); ++index) {
      samples_.add_process(kNames[index], figures_of_process(children_[index]));
    }
    samples_.add_process("this test", figures_of_process(::getpid()));
    if (samples_.size() == 1) {
      rest_segments_ = segments.size();
      rest_descriptors_ = broker.descriptors.value_or(0);
    }
  }

  bool settled() {
    return figures_of_process(broker_.pid()).descriptors.value_or(0) <= rest_descriptors_;
  }

  static double kibibytes_of(const std::vector<std::string>& segments) {
    double sum = 0;
    for (const std::string& segment : segments) {
      struct stat status {};
      if (::stat(shm::segment_path(segment).c_str(), &status) == 0) {
        sum += static_cast<double>(status.st_blocks) / 2;
      }
    }
    return sum;
  }

  // Everybody leaves, then the broker: nothing is left, and nothing was worth a warning.
  void end() {
    state_.end = true;
    for (pid_t& child : children_) {
      int status = 0;
      if (!wait_until([&] { return ::waitpid(child, &status, WNOHANG) == child; })) break;
      child = -1;
      if (status != 0) set_problem("a worker ended with status " + std::to_string(status));
    }
    if (state_.failed) problem_ = state_.problem.data();
    if (!problem_.empty()) return;
    if (const int code = broker_.stop(); code != 0) {
      set_problem("the broker ended with " + std::to_string(code));
    }
    if (!broker_.segments().empty()) set_problem("left in /dev/shm: " + broker_.segments()[0]);
    if (const auto lines = complaints(); !lines.empty()) {
      set_problem("the broker complained: " + lines);
    }
  }

  // But for the attaches that it shall refuse.
  [[nodiscard]] std::string complaints() const {
    std::istringstream log(broker_.log());
    const std::string expected = "principal '" + std::string(kUnknownPrincipal) + "' is not in";
    std::string unexpected;
    for (std::string line; std::getline(log, line) && unexpected.size() < 2'000;) {
      if (line.find(expected) == std::string::npos) unexpected += line + '\n';
    }
    return unexpected;
  }

  void set_problem(const std::string& sentence) {
    if (problem_.empty()) problem_ = sentence;
  }

  [[nodiscard]] std::string figures() const {
    return std::to_string(state_.cycles) + " cycles, " + std::to_string(state_.sudden_deaths) +
           " sudden deaths, " + std::to_string(state_.messages) + " messages of cycles and " +
           std::to_string(state_.resident_messages) + " of those who stay, " +
           std::to_string(samples_.size()) + " samples";
  }

  SoakClock clock_;
  SoakOptions options_;
  State& state_;
  ScratchDirectory files_;
  std::string policy_;
  RestartedBroker broker_;
  std::vector<pid_t> children_;
  Samples samples_;
  std::size_t rest_segments_ = 1'000;
  double rest_descriptors_ = 1'000;
  std::string problem_;
};

}  // namespace
}  // namespace fairlead::test::churn

int main(int count, char** arguments) try {
  using namespace fairlead::test;
  const SoakOptions options = soak_options(count, arguments, {.more = {{"nice", 0}}});
  // In CI other tests go first.
  ::setpriority(PRIO_PROCESS, 0, static_cast<int>(options.more.at("nice")));
  return churn::Run(options).run();
} catch (const std::exception& error) {
  std::fprintf(stderr, "churn: %s\n", error.what());
  return 1;
}
