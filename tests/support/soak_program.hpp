// What every program of tests/soaks has in common: its options, its progress, its last line.
// tests/soak starts them and reads what they print.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>

namespace fairlead::test {

struct SoakOptions {
  std::uint64_t seed = 1;
  double seconds = 0;                           // 0: as long as it takes to reach `count`
  std::uint64_t count = 0;                      // 0: as many as fit into `seconds`
  std::map<std::string, std::uint64_t> more{};  // what this program knows beside these three
};

/// Reads --seed N --seconds S --count N and --<name> N for each name of `defaults.more`. Prints
/// what is wrong and ends the process with exit code 2; --help with 0.
[[nodiscard]] SoakOptions soak_options(int count, char** arguments, SoakOptions defaults);

/// The time that is left, and one line of progress on standard error at most every ten seconds.
/// SIGTERM and SIGINT end the time: the program tidies up and sums up as if it had been reached.
class SoakClock {
 public:
  SoakClock(std::string name, const SoakOptions& options);
  [[nodiscard]] double elapsed() const;
  /// False once `seconds` have passed, `done` has reached `count`, or a signal came.
  [[nodiscard]] bool goes_on(std::uint64_t done) const;
  /// The next show() would print.
  [[nodiscard]] bool due() const;
  void show(const std::string& text);
  /// The last line, on standard output, and the exit code: `problem` is empty when all held.
  int finish(const std::string& figures, const std::string& problem) const;

 private:
  std::string name_;
  SoakOptions options_;
  std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point shown_ = started_;
};

}  // namespace fairlead::test
