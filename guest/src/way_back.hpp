// How to reach the next broker, for a guest whose broker has gone.
#pragma once

#include <chrono>
#include <functional>

#include <fairlead/guest/attach.hpp>
#include <fairlead/shm/unique_fd.hpp>

namespace fairlead::guest {

/// A new connection within that time, or none: nobody is there yet. May throw Error, which means
/// the same.
using WayBack = std::function<shm::UniqueFd(std::chrono::nanoseconds)>;

/// None if there is no way, or AttachOptions::resume_for wants none. Before find_socket(), which
/// takes the options' descriptor.
[[nodiscard]] WayBack find_way_back(const AttachOptions& options);

/// Asks the keeper that FAIRLEAD_KEEPER_FD names for a connection.
[[nodiscard]] shm::UniqueFd connect_by_keeper(int keeper, std::chrono::nanoseconds timeout);

}  // namespace fairlead::guest
