// What a program says that has no memory left, not even to throw.
#pragma once

#include <string_view>

namespace fairlead::shm {

/// For programs, at their start, and again when they know better who they are. Where there is no
/// memory for an exception, or a bad_alloc can go nowhere, std::terminate() writes
/// "`program`: out of memory" to standard error and ends the process with `exit_code`, at once.
/// Every other call of it does what it did before. Process-wide, not thread-safe; of `program` 63
/// bytes are kept.
void say_when_out_of_memory(std::string_view program, int exit_code) noexcept;

}  // namespace fairlead::shm
