// What the subcommands have in common: options, --help with an example, --version, and how a wrong
// command line is reported (one line, exit code 2).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace fairlead::tools {

// Exit codes of every subcommand but `run`, which has those of env(1).
inline constexpr int kExitDone = 0;
inline constexpr int kExitFailed = 1;    // could not do it
inline constexpr int kExitUsage = 2;     // wrong command line
inline constexpr int kExitPartly = 3;    // did it, and something was not as it should be
inline constexpr int kExitSignal = 128;  // plus the number of the signal that ended it

// A command line that cannot be meant; the text is one sentence.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct CommandText {
  std::string name;      // "fairlead pub"
  std::string synopsis;  // what follows the name: "TOPIC [options] [FILE|-]"
  std::string purpose;   // sentences
  std::string after;     // below the options: example, exit codes
};

class CommandLine {
 public:
  explicit CommandLine(CommandText text);
  ~CommandLine();
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  /// `names` as cxxopts has them: "json" or "q,quiet".
  void flag(const std::string& names, const std::string& help);
  void value(const std::string& names, const std::string& placeholder, const std::string& help);

  /// Takes the arguments after the subcommand's name. An exit code when all is said already
  /// (--help,
  /// --version). Throws UsageError.
  [[nodiscard]] std::optional<int> parse(int count, const char* const* arguments);

  [[nodiscard]] bool has(const std::string& name) const;
  [[nodiscard]] std::optional<std::string> text(const std::string& name) const;
  /// Each value of an option that was given several times, in order.
  [[nodiscard]] std::vector<std::string> texts(const std::string& name) const;
  /// What is no option, in order.
  [[nodiscard]] const std::vector<std::string>& operands() const;

  [[nodiscard]] std::string help() const;

 private:
  struct Content;
  std::unique_ptr<Content> content_;
};

}  // namespace fairlead::tools
