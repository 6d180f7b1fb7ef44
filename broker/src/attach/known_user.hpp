// Whether the number of a user or group says who that is.
//
// In a user namespace the kernel shows everybody who has no number there under one and the same,
// overflowuid and overflowgid (65534). A policy that lists it would mean all of them; and so may be
// root outside.
#pragma once

#include <cstdint>
#include <string_view>

namespace fairlead::broker {

enum class IdentityKind : std::uint8_t { user, group };

/// True unless it is that number and our namespace gives it to nobody. Without /proc that number
/// says nothing. Reads below `proc` (another directory in tests).
[[nodiscard]] bool says_who(IdentityKind kind, std::uint32_t number,
                            std::string_view proc = "/proc");

}  // namespace fairlead::broker
