// The one exception type of fairlead. Control calls throw it; data-path calls never throw.
//
// Every Error has a code that a program can switch on and one sentence that helps a person.
#pragma once

#include <cerrno>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace fairlead {

enum class ErrorCode : std::uint8_t {
  denied,             // the policy or the kernel refuses this caller
  not_found,          // nothing of that name exists
  not_ready,          // it exists, but its maker has not finished it
  wrong_version,      // made by a fairlead with another format version
  wrong_layout,       // same version, but another compiler's or build's layout
  foreign_segment,    // not ours: wrong magic, owner, mode or kind of file
  truncated,          // shorter than its header, or its format, says
  corrupt,            // values that no honest writer can have written
  name_taken,         // a segment name in /dev/shm belongs to somebody else
  socket_taken,       // a live broker listens on that path
  out_of_memory,      // /dev/shm or the machine's memory is full
  limit,              // a fixed limit of the format or the kernel
  quota_exceeded,     // R32
  rate_limited,       // R31
  invalid_topic,      // R04
  invalid_pattern,    // R04
  invalid_principal,  // not a principal's name
  invalid_argument,   // any other argument out of its range
  policy_invalid,     // the policy file does not parse or contradicts itself
  protocol,           // the peer sent what the control protocol does not allow
  disconnected,       // the peer closed the connection
  timeout,            // the deadline passed
  broker_gone,        // no broker listens there (any more)
  unsupported,        // this kernel or build cannot do it
  system,             // any other failed system call; the sentence holds the errno text
};

/// The code as its identifier: "denied", "name_taken". Never empty.
std::string_view to_string(ErrorCode code) noexcept;

class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& sentence) : std::runtime_error(sentence), code_(code) {}

  ErrorCode code() const noexcept { return code_; }

 private:
  ErrorCode code_;
};

/// "No space left on device (ENOSPC)": the errno's text and symbol, thread-safe.
std::string system_error_text(int error_number);

/// Throws Error with "what: errno text". The code follows the errno where one fits better than
/// `system`: ENOSPC, ENOMEM, EDQUOT are out_of_memory; EACCES, EPERM denied; EMFILE, ENFILE limit.
[[noreturn]] void throw_system(std::string_view what, int error_number = errno);

}  // namespace fairlead
