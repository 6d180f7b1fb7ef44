// Policy `fair-share` (R21): whoever is furthest above budget / active lanes gives up its head.
#pragma once

#include <cstdint>
#include <optional>

#include "delivery/eviction.hpp"
#include "delivery/maximum_tree.hpp"

namespace fairlead::broker {

// The arriving message counts as if its lane held it already, so a flooder pays for its own
// arrivals. Lanes that hold several messages and lanes that hold one are ranked apart: of those
// above their share, one with a single message goes only when no other is left. Bytes are those
// known from the guest's last report; the route looks at the victim again before acting, and asks
// anew if it shrank. Exact, so finer than the power-of-two classes of the rule: a lane at or below
// its share loses nothing while another is above.
class FairShare final : public Eviction {
 public:
  FairShare(const shm::RouteWriter& writer, std::uint64_t budget_bytes) noexcept
      : writer_(writer), budget_(budget_bytes) {}

  void prepare(shm::Lane lane) override;
  void appended(shm::Lane lane, std::uint64_t count, std::uint64_t sequence) noexcept override;
  void changed(shm::Lane lane) noexcept override;
  [[nodiscard]] std::optional<shm::Lane> victim(const Arrival& arrival) noexcept override;

 private:
  const shm::RouteWriter& writer_;
  std::uint64_t budget_;
  MaximumTree several_;  // bytes of lanes that hold two messages or more
  MaximumTree single_;   // bytes of lanes that hold one
};

}  // namespace fairlead::broker
