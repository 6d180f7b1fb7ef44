// R01 to R04, R12 in a few lines each, for the reference model.
#pragma once

#include <string>
#include <vector>

#include <fairlead/shm/layout/route_layout.hpp>

namespace fairlead::test {

[[nodiscard]] bool reference_topic_is_valid(const std::string& topic);
[[nodiscard]] bool reference_matches(const std::string& pattern, const std::string& topic);
[[nodiscard]] bool reference_admits(shm::AdmissionKind admission, const std::string& admitted,
                                    const std::string& principal);

}  // namespace fairlead::test
