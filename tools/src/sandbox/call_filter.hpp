// The seccomp filter of a sandboxed guest, made of the table in system_calls.hpp.
#pragma once

namespace fairlead::tools::sandbox {

/// From now on this process and what it becomes can make the calls of allowed_calls() only, and can
/// become only the program behind `program_descriptor`, whose number must be out of reach for a
/// later open (RLIMIT_NOFILE). To be called with one thread. Throws Error.
void load_call_filter(int program_descriptor);

/// Whether this machine has the call at all: aarch64 has no open(2), say.
[[nodiscard]] bool exists_here(const char* call) noexcept;

}  // namespace fairlead::tools::sandbox
