// The least that a policy file needs, and who the broker runs as in these tests.
#pragma once

#include <cstdint>
#include <string_view>

namespace fairlead::broker {

inline constexpr std::uint32_t kOwnUid = 500;
inline constexpr std::string_view kMinimal = "[[principal]]\nname = 'alice'\nuid = 1000\n";

}  // namespace fairlead::broker
