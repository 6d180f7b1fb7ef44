// What a sandboxed guest may ask of the kernel. Everything else ends in EPERM.
#pragma once

#include <span>

namespace fairlead::tools::sandbox {

// What the arguments must be like; call_filter.cpp turns each into rules.
enum class CallCondition {
  always,
  thread_only,           // makes a thread of this process, no child and no namespace
  read_only_open,        // neither writes, creates nor truncates
  read_only_open_at,     // the same, of openat()
  no_new_code,           // executable only if private, from a file, and not writable
  never_executable,      // takes no PROT_EXEC
  own_process,           // names this process
  asks_only,             // changes no limit
  asks_terminal,         // size and mode of a terminal, bytes to read, close-on-exec
  names_thread,          // the name of a thread
  program_at_the_start,  // CMD itself, through a descriptor number that cannot be had again
  looks_missing,         // ENOSYS: libc then uses the older call, whose arguments can be seen
};

struct AllowedCall {
  const char* name;
  const char* why;
  CallCondition condition = CallCondition::always;
};

/// In the order in which --explain shows them. A name that this machine's kernel interface does not
/// have is left out of the filter.
[[nodiscard]] std::span<const AllowedCall> allowed_calls() noexcept;

/// "only if ...", empty for always.
[[nodiscard]] const char* text_of(CallCondition condition) noexcept;

}  // namespace fairlead::tools::sandbox
