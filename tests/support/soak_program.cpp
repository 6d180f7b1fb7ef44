#include "support/soak_program.hpp"

#include <signal.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

namespace fairlead::test {
namespace {

constexpr std::chrono::seconds kBetweenLines{10};

volatile sig_atomic_t told_to_end = 0;

[[noreturn]] void wrong_usage(const std::string& sentence) {
  std::fprintf(stderr, "%s (see --help)\n", sentence.c_str());
  std::exit(2);
}

double number_of(const std::string& option, const char* text) {
  char* end = nullptr;
  const double number = std::strtod(text, &end);
  if (end == text || *end != '\0' || !(number >= 0)) {
    wrong_usage(option + " needs a number, not '" + text + "'");
  }
  return number;
}

[[noreturn]] void show_usage(const char* program, const SoakOptions& defaults) {
  std::printf("Usage: %s [--seed N] [--seconds S] [--count N]", program);
  for (const auto& [name, value] : defaults.more) {
    std::printf(" [--%s N (%llu)]", name.c_str(), static_cast<unsigned long long>(value));
  }
  std::printf(
      "\nRuns until --seconds have passed or --count is reached; 0 is no limit.\n"
      "Exit codes: 0 all held, 1 something did not, 2 wrong usage. See docs/soak.md.\n");
  std::exit(0);
}

}  // namespace

SoakOptions soak_options(int count, char** arguments, SoakOptions defaults) {
  SoakOptions options = std::move(defaults);
  for (int index = 1; index < count; ++index) {
    const std::string name = arguments[index];
    if (name == "--help" || name == "-h") show_usage(arguments[0], options);
    if (index + 1 == count) wrong_usage("'" + name + "' is no option, or lacks its number");
    const double number = number_of(name, arguments[++index]);
    const auto whole = static_cast<std::uint64_t>(number);
    if (name == "--seed") {
      options.seed = whole;
    } else if (name == "--seconds") {
      options.seconds = number;
    } else if (name == "--count") {
      options.count = whole;
    } else if (name.size() > 2 && options.more.contains(name.substr(2))) {
      options.more[name.substr(2)] = whole;
    } else {
      wrong_usage("unknown option '" + name + "'");
    }
  }
  return options;
}

SoakClock::SoakClock(std::string name, const SoakOptions& options)
    : name_(std::move(name)), options_(options) {
  struct sigaction action {};
  action.sa_handler = [](int) { told_to_end = 1; };
  action.sa_flags = SA_RESTART;
  ::sigaction(SIGTERM, &action, nullptr);
  ::sigaction(SIGINT, &action, nullptr);
}

double SoakClock::elapsed() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count();
}

bool SoakClock::goes_on(std::uint64_t done) const {
  if (told_to_end != 0) return false;
  if (options_.count != 0 && done >= options_.count) return false;
  return options_.seconds <= 0 || elapsed() < options_.seconds;
}

bool SoakClock::due() const { return std::chrono::steady_clock::now() - shown_ >= kBetweenLines; }

void SoakClock::show(const std::string& text) {
  if (!due()) return;
  shown_ = std::chrono::steady_clock::now();
  std::fprintf(stderr, "%s: %.0f s: %s\n", name_.c_str(), elapsed(), text.c_str());
}

int SoakClock::finish(const std::string& figures, const std::string& problem) const {
  const bool held = problem.empty();
  if (!held) std::fprintf(stderr, "%s: %s\n", name_.c_str(), problem.c_str());
  std::printf("%s: %s, seed %llu, %.1f s: %s\n", name_.c_str(), held ? "ok" : "FAILED",
              static_cast<unsigned long long>(options_.seed), elapsed(), figures.c_str());
  return held ? 0 : 1;
}

}  // namespace fairlead::test
