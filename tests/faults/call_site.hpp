// Where in a program a system call is made: told apart by the return addresses on its stack.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace fairlead::test {

// The code of a program's file, as a traced process has it mapped.
class ProgramText {
 public:
  /// Of the file that `process` runs; nothing is mapped here when it cannot be read.
  explicit ProgramText(pid_t process);
  ~ProgramText();
  ProgramText(const ProgramText&) = delete;
  ProgramText& operator=(const ProgramText&) = delete;

  /// Hash of the innermost return addresses into the program (not its libraries) that stand on the
  /// stack of a thread that is stopped; 0 when there is none, as before the program's own start.
  [[nodiscard]] std::uint64_t site(pid_t thread, std::uint64_t stack_pointer) const;

 private:
  [[nodiscard]] bool follows_a_call(std::uint64_t address) const noexcept;
  void map_file(const std::string& path, std::uint64_t offset);

  std::uint64_t begin_ = 0;
  std::uint64_t end_ = 0;
  std::span<const std::byte> code_;
};

}  // namespace fairlead::test
