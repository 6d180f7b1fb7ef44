// What every program of large figures has in common: options, progress, an end.
//
//   --seed N      where it begins (default 1); printed, so that a failure can be run again
//   --seconds S   how long
//   --count N     how much, in the program's own unit; whichever of the two is reached first ends
//   it
//
// Header only, because some programs are linked without the test support.
#pragma once

#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <string>
#include <string_view>

namespace fairlead::test {

struct SoakOptions {
  std::uint64_t seed = 1;
  std::uint64_t seconds = std::numeric_limits<std::uint32_t>::max();
  std::uint64_t count = std::numeric_limits<std::uint64_t>::max();
};

/// Ends the program with 2 when they make no sense; one of seconds and count must be there.
inline SoakOptions parse_soak_options(int count, char** arguments) {
  SoakOptions options;
  bool bounded = false;
  bool wrong = count % 2 == 0;
  for (int index = 1; index + 1 < count; index += 2) {
    const std::string_view name = arguments[index];
    const std::string_view text = arguments[index + 1];
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    wrong = wrong || error != std::errc() || end != text.data() + text.size();
    if (name == "--seed") {
      options.seed = value;
    } else if (name == "--seconds") {
      options.seconds = value;
    } else if (name == "--count") {
      options.count = value;
    } else {
      wrong = true;
    }
    bounded = bounded || name != "--seed";
  }
  if (!wrong && bounded) return options;
  std::fprintf(stderr, "usage: %s [--seed N] --seconds S | --count N\n", arguments[0]);
  std::exit(2);
}

/// A line on standard error, once in ten seconds at most; and when it is time to end.
class SoakClock {
 public:
  explicit SoakClock(std::uint64_t seconds) : end_(Clock::now() + std::chrono::seconds(seconds)) {}

  [[nodiscard]] bool over() const { return Clock::now() >= end_; }
  [[nodiscard]] std::uint64_t elapsed_seconds() const {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - start_).count());
  }
  template <class Line>
  void progress(Line&& line) {
    if (Clock::now() < next_) return;
    next_ = Clock::now() + std::chrono::seconds(10);
    const std::string text = line();
    std::fprintf(stderr, "%llu s: %s\n", static_cast<unsigned long long>(elapsed_seconds()),
                 text.c_str());
  }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point start_ = Clock::now();
  Clock::time_point end_;
  Clock::time_point next_ = start_ + std::chrono::seconds(10);
};

/// The summary, the last line on standard output; the exit code.
inline int finish_soak(const std::string& summary, const std::string& failure) {
  std::printf("%s: %s\n", failure.empty() ? "ok" : "FAILED", summary.c_str());
  if (!failure.empty()) std::fprintf(stderr, "%s\n", failure.c_str());
  return failure.empty() ? 0 : 1;
}

}  // namespace fairlead::test
