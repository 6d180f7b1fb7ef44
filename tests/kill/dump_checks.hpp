// What `fairlead dump` must find, whatever moment its broker died at.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include <fairlead/shm/segment_name.hpp>

namespace fairlead::killing {

using Complain = std::function<void(const std::string&)>;

struct DumpQuestion {
  std::string directory = std::string(shm::kSharedMemoryDirectory);
  std::string broker{};
  bool lives = false;   // its broker does, and asked for sealed segments it shows them
  bool sweeps = false;  // it died while it removed what another had left
};

/// Nothing is corrupt or foreign; half made or torn is only what a dead broker left; and R30 holds
/// where it is said to be known.
void check_dump(const DumpQuestion& question, const Complain& complain);
/// Pinned by batches and kept messages, over all routes.
[[nodiscard]] std::uint64_t held_bytes(const std::string& broker);

}  // namespace fairlead::killing
