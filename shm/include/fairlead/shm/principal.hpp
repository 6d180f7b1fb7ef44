// Names and classes of principals: who a message is published as.
//
// Everything here is noexcept, allocates nothing and may be called from any thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace fairlead::shm {

// The only form of a principal that may label a metric: names are unbounded, classes are not.
enum class PrincipalClass : std::uint8_t { system, user, agent };

// What is wrong with a principal's name; `none` means that it may be used.
enum class PrincipalProblem : std::uint8_t {
  none,
  too_long,  // over kMaximumPrincipalBytes
  bad_byte,  // a byte outside [A-Za-z0-9_.:@-]
  reserved,  // "system" spelled out, which would look like the system principal but not be it
};

/// The name that people write for the system principal. On the wire and in segments it is empty.
inline constexpr std::string_view kSystemPrincipalText = "system";

/// Empty is the system principal; any other name is 1 to kMaximumPrincipalBytes bytes.
[[nodiscard]] PrincipalProblem check_principal(std::string_view name) noexcept;

/// One sentence that says what would be accepted; empty for `none`.
[[nodiscard]] std::string_view sentence_of(PrincipalProblem problem) noexcept;

/// Empty: system. Begins with "agent." or "agent:": agent. Anything else: user.
[[nodiscard]] PrincipalClass class_of(std::string_view name) noexcept;

/// "system", "user" or "agent".
[[nodiscard]] std::string_view to_string(PrincipalClass principal_class) noexcept;

/// For names that a person wrote: "system" becomes the empty name, others stay as they are.
[[nodiscard]] std::string_view canonical_principal(std::string_view written) noexcept;

/// For names that a person reads: the empty name becomes "system", others stay as they are.
[[nodiscard]] std::string_view displayed_principal(std::string_view name) noexcept;

}  // namespace fairlead::shm
