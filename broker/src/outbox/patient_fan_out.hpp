// A fan-out whose publisher would rather wait than be refused by full routes (R21).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "delivery/delivery.hpp"

namespace fairlead::broker {

// Serves every route that has room first, whatever the order: what is left when it is blocked are
// full routes only, so nobody else's route waits for them. Not thread-safe; the broker's mutex
// guards it.
class PatientFanOut {
 public:
  enum class Progress : std::uint8_t {
    finished,
    paused,   // `most_routes` were visited
    blocked,  // every route that is left is full
  };

  [[nodiscard]] FanOut& fan_out() noexcept { return fan_out_; }
  [[nodiscard]] const FanOut& fan_out() const noexcept { return fan_out_; }

  /// The next proceed() asks the full routes again.
  void start_over() noexcept { full_ = 0; }

  /// Visits at most `most_routes` routes and adds their number to `visited`. With `patient` full
  /// routes of policy reject are left for later; without, they refuse and count as done.
  Progress proceed(Delivery& delivery, std::span<const std::byte> payload, std::size_t most_routes,
                   bool patient, std::size_t& visited);

 private:
  FanOut fan_out_;
  std::size_t full_ = 0;        // routes at the list's end that were full in this pass
  std::uint64_t sequence_ = 0;  // of the message that this pass is of
};

/// Takes the routes that `earlier` still waits for out of `later` and counts them as full: within a
/// lane a later message never overtakes an earlier one (R09).
void give_way(FanOut& later, const FanOut& earlier);

}  // namespace fairlead::broker
