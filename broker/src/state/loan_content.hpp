// What stands behind a Loan.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include <fairlead/broker/loan.hpp>

#include "outbox/patient_fan_out.hpp"
#include "state/broker_state.hpp"
#include "state/host_publish.hpp"

namespace fairlead::broker {

class Loan::Content {
 public:
  Content(std::shared_ptr<BrokerState> state, std::string principal, std::string topic);
  ~Content();
  Content(const Content&) = delete;
  Content& operator=(const Content&) = delete;

  /// With the mutex held: room in the one route that takes the message; false when there is not
  /// exactly one, or no room in it.
  [[nodiscard]] bool reserve(std::uint64_t bytes);
  /// Instead. Throws std::bad_alloc.
  void use_buffer(std::uint64_t bytes);

  [[nodiscard]] std::span<std::byte> bytes() const noexcept { return bytes_; }
  [[nodiscard]] bool in_place() const noexcept { return memory_ != nullptr; }
  PublishReport commit();

 private:
  [[nodiscard]] Route* live_route() noexcept;
  void cancel() noexcept;
  PublishReport publish();
  PublishReport publish_in_place(Route& route, const FanOut& fan_out) noexcept;

  std::shared_ptr<BrokerState> state_;
  std::string principal_;
  std::string topic_;
  std::span<std::byte> bytes_;
  // In place: keeps the mapping, even when the route has gone.
  std::shared_ptr<RouteMemory> memory_;
  RouteId route_ = 0;
  std::uint64_t subscription_ = 0;
  shm::RouteWriter::Reservation reservation_;
  std::unique_ptr<std::byte[]> buffer_;
};

}  // namespace fairlead::broker
