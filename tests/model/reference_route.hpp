// One route by the rules (R06 to R30), in plain containers.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <fairlead/shm/layout/route_layout.hpp>

#include "reference_rotation.hpp"
#include "support/guest_end.hpp"

namespace fairlead::test {

/// Shared by all routes of one guest (R13).
struct ReferenceGate {
  bool admits = false;
};

class ReferenceRoute {
 public:
  struct Settings {
    shm::EvictionPolicy policy = shm::EvictionPolicy::oldest_head;
    shm::AdmissionKind admission = shm::AdmissionKind::all;
    std::string admitted;
    std::string pattern;
    std::uint64_t budget = 0;
    std::uint32_t lanes = 0;
    const ReferenceGate* gate = nullptr;
  };
  struct Pushed {
    shm::Refusal refusal = shm::Refusal::none;
    std::uint32_t evicted = 0;
    bool opened_lane = false;
  };
  struct Drained {
    std::vector<TakenMessage> messages;
    shm::RouteReader::EndedLoss ended;
  };
  struct Totals {
    std::uint64_t published = 0, delivered = 0, evicted = 0, refused = 0;
    std::uint64_t published_bytes = 0, delivered_bytes = 0, evicted_bytes = 0;
    std::uint64_t queued_high_water = 0, queued_bytes_high_water = 0;
    std::uint64_t refused_by_reason[12] = {};
  };

  explicit ReferenceRoute(Settings settings) : settings_(std::move(settings)) {}

  [[nodiscard]] bool concerns(const std::string& topic, const std::string& principal) const;
  /// Whether a publisher that asked to wait would have to (R21).
  [[nodiscard]] bool full_for(const std::string& principal, std::uint64_t cost) const;
  Pushed push(const TakenMessage& message);
  /// After a push that opened a lane: which slot it got.
  void name_slot(const std::string& principal, std::uint32_t slot);
  Drained drain(std::uint64_t byte_budget, std::uint64_t most);
  void close() noexcept { closed_ = true; }

  [[nodiscard]] bool closed() const noexcept { return closed_; }
  [[nodiscard]] const Totals& totals() const noexcept { return totals_; }
  [[nodiscard]] std::uint64_t queued() const noexcept { return queued_; }
  [[nodiscard]] std::uint64_t queued_bytes() const noexcept { return queued_bytes_; }
  [[nodiscard]] const std::map<std::string, LanePointer>& lanes() const noexcept { return lanes_; }
  [[nodiscard]] std::uint64_t uncovered_visits() const noexcept {
    return rotation_.uncovered_visits();
  }

 private:
  using Victim = ReferenceLane*;

  [[nodiscard]] std::optional<shm::Refusal> make_room(ReferenceLane* lane, std::uint64_t cost,
                                                      std::uint32_t& evicted);
  [[nodiscard]] Victim victim(const ReferenceLane* arriving, std::uint64_t cost) const;
  [[nodiscard]] Victim oldest_head() const;
  [[nodiscard]] Victim above_share(const ReferenceLane* arriving, std::uint64_t cost) const;
  void evict(ReferenceLane& lane, const ReferenceLane* arriving, shm::LossReason reason,
             std::uint32_t& evicted);
  void end(ReferenceLane& lane, shm::LossReason reason);
  Pushed refuse(shm::Refusal reason, std::uint32_t evicted);
  [[nodiscard]] bool fits(std::uint64_t cost) const noexcept {
    return queued_bytes_ + cost <= settings_.budget;
  }

  Settings settings_;
  std::map<std::string, LanePointer> lanes_;  // those with messages
  ReferenceRotation rotation_;
  shm::RouteReader::EndedLoss ended_;  // not told yet (R29)
  Totals totals_;
  std::uint64_t queued_ = 0;
  std::uint64_t queued_bytes_ = 0;
  bool closed_ = false;
};

}  // namespace fairlead::test
