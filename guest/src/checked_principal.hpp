// Principals as people write them, made fit for the wire.
#pragma once

#include <string>
#include <string_view>

#include <fairlead/shm/error.hpp>
#include <fairlead/shm/principal.hpp>

namespace fairlead::guest {

/// Throws Error(invalid_principal).
[[nodiscard]] inline std::string_view checked_principal(std::string_view written) {
  const std::string_view name = shm::canonical_principal(written);
  const auto problem = shm::check_principal(name);
  if (problem == shm::PrincipalProblem::none) return name;
  throw Error(ErrorCode::invalid_principal, std::string(shm::sentence_of(problem)));
}

}  // namespace fairlead::guest
