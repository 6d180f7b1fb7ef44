// Attaching to a broker that may be away for a moment.
#pragma once

#include <cstddef>
#include <string>

#include <fairlead/guest/guest.hpp>

namespace fairlead::test::random_kills {

inline constexpr std::size_t kMostPayloadBytes = 8 * 1'024;

/// Tries again for 30 seconds while nobody listens or the connection is lost. Throws Error.
[[nodiscard]] guest::Guest attach_patiently(const std::string& socket,
                                            const std::string& principal);

}  // namespace fairlead::test::random_kills
