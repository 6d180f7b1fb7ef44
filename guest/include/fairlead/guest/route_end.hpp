// How a route came to its end.
#pragma once

#include <string>

#include <fairlead/shm/layout/route_layout.hpp>

namespace fairlead::guest {

struct RouteEnd {
  shm::RouteState state = shm::RouteState::none;  // closed or poisoned
  shm::Refusal reason = shm::Refusal::none;
  std::string sentence;  // the broker's wording
};

}  // namespace fairlead::guest
