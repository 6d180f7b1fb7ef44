// A program as somebody at a terminal has it: arguments, three streams, signals, an exit code.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include <fairlead/shm/unique_fd.hpp>

namespace fairlead::test {

struct ProgramOptions {
  std::vector<std::string> environment{};  // "NAME=value", instead of what we have of that name
  bool keep_input = false;                 // its input stays open until end_input()
};

class Program {
 public:
  /// `command` begins with the program's path.
  explicit Program(const std::vector<std::string>& command, const ProgramOptions& options = {});
  /// Kills it if it still runs.
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  bool signal(int number) const;
  void write_input(const std::string& text);
  void end_input() { input_.reset(); }
  /// Nobody reads its output any more.
  void close_output() { output_.reset(); }

  /// Wait until the stream holds the piece; false when it has ended without, or after 30 seconds.
  [[nodiscard]] bool wait_for_output(const std::string& piece);
  [[nodiscard]] bool wait_for_error(const std::string& piece);
  /// Waits for its end: the exit code, 128 + signal, or -1 after 30 seconds.
  int exit_code();
  /// All that came so far.
  [[nodiscard]] const std::string& output() const noexcept { return output_text_; }
  [[nodiscard]] const std::string& error() const noexcept { return error_text_; }

 private:
  bool read_more();
  bool wait_for(const std::string& text, const std::string& piece);

  pid_t pid_ = -1;
  shm::UniqueFd input_;
  shm::UniqueFd output_;
  shm::UniqueFd error_;
  std::string output_text_;
  std::string error_text_;
};

struct Ended {
  int code = -1;
  std::string output;
  std::string error;
};
/// Runs it to its end with that input.
[[nodiscard]] Ended run_to_end(const std::vector<std::string>& command,
                               const std::string& input = {}, const ProgramOptions& options = {});
/// "fairlead" with these arguments.
[[nodiscard]] std::vector<std::string> fairlead(std::vector<std::string> arguments);

// A directory that is gone with its object.
class ScratchDirectory {
 public:
  ScratchDirectory();
  ~ScratchDirectory();
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] std::string path_of(const std::string& file) const { return path_ + '/' + file; }
  /// Writes a file and gives back its path.
  std::string write(const std::string& file, const std::string& text) const;

 private:
  std::string path_;
};

// fairlead-broker under a name of its own; ready when made.
class BrokerProcess {
 public:
  explicit BrokerProcess(const std::string& policy = {},
                         const std::vector<std::string>& arguments = {});
  ~BrokerProcess();

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] std::string socket() const { return directory_.path_of("broker.sock"); }
  [[nodiscard]] Program& program() const noexcept { return *program_; }
  [[nodiscard]] std::vector<std::string> segments() const;
  /// Ends it by that signal, and waits for its end.
  void end_by(int signal) const;
  /// The next one of that name, policy and arguments; the last one has ended.
  void start_again() { start(); }

 private:
  void start();

  std::string name_;
  ScratchDirectory directory_;
  std::vector<std::string> command_;
  std::unique_ptr<Program> program_;
};

}  // namespace fairlead::test
