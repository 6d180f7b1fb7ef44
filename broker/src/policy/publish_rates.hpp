// How fast guests may publish (R31).
#pragma once

#include <cstdint>
#include <string_view>

#include <fairlead/broker/policy_model.hpp>
#include <fairlead/shm/uuid.hpp>

#include "policy/rate_table.hpp"

namespace fairlead::broker {

// Each (capsule, principal) has the rule's rate. A guest chooses its capsule, so what counts is
// that all capsules of one payer together have it, too: as often as the rule's
// publish_rate_capsules says. Not thread-safe.
class PublishRates {
 public:
  /// `payer` as AttachDecision has it. All of `units` are taken, or nothing.
  [[nodiscard]] RateOutcome take(const shm::Uuid& capsule, std::string_view payer,
                                 const PrincipalRule& rule, std::uint64_t units,
                                 std::uint64_t now) noexcept;

 private:
  RateTable by_payer_;
  RateTable by_capsule_;
};

}  // namespace fairlead::broker
