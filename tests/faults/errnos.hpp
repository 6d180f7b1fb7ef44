// Which errnos each system call may come back with.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace fairlead::test {

struct SystemCall {
  long number = -1;
  std::array<std::uint64_t, 6> arguments{};
  bool carries_descriptors = false;  // sendmsg with control data
};

struct Errnos {
  /// After these all must go on as if nothing had happened: the call is made again.
  std::vector<int> unnoticed;
  /// These may be told, in words.
  std::vector<int> told;
  /// The kernel does it whatever it answers, as close() does.
  bool done_anyway = false;
};

/// Null for a call that the table has not: which is a gap in the sweep.
[[nodiscard]] const Errnos* errnos_of(const SystemCall& call);

/// "openat", "futex", "fcntl(F_ADD_SEALS)"; the number of one that is not known.
[[nodiscard]] std::string name_of(const SystemCall& call);
/// What part of its arguments makes it a call of its own: fcntl's command, futex's operation.
[[nodiscard]] int operation_of(const SystemCall& call) noexcept;

/// "EMFILE".
[[nodiscard]] std::string errno_name(int number);

}  // namespace fairlead::test
