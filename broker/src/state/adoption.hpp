// Taking over what a broker of the same name left that died or handed over (R34, decision 0050).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "state/broker_state.hpp"

namespace fairlead::broker {

// Gives each route an interim segment at once, into which publishes go while its guest is away, and
// makes its guest known by its token. Killed in between, the next broker finds each route with its
// old line or its new one. Before anybody else knows the state.
class Adoption {
 public:
  explicit Adoption(BrokerState& state);

  /// Logs what it did. What cannot be taken over (no memory, no rule in the policy) ends, with a
  /// line in the log.
  void run();

 private:
  using Lines = std::span<const AdoptedLine>;

  void adopt_guest(Lines lines);
  void adopt_route(Guest& guest, const AdoptedLine& line, std::uint64_t missed);
  void adopt_outbox(Guest& guest, const AdoptedLine& line, std::uint64_t missed);
  [[nodiscard]] std::uint64_t missed_by(Lines lines) const noexcept;
  [[nodiscard]] Guest* make_guest(Lines lines, std::uint64_t missed);
  void fill(Route& route, const AdoptedLine& line, std::uint64_t& messages);
  void tell_end(const AdoptedLine& line, std::string_view why);
  void drop(const AdoptedLine& line, std::string_view why);
  void forget(const AdoptedLine& line);
  static void rouse_waiters(const TableRecord& record);

  BrokerState& state_;
  const std::uint64_t now_nanoseconds_;
  const std::uint64_t grace_nanoseconds_;
  std::uint64_t guests_ = 0;
  std::uint64_t routes_ = 0;
  std::uint64_t outboxes_ = 0;
};

/// The bytes of a named segment of an earlier epoch; empty when there is none, or not ours.
[[nodiscard]] shm::Segment open_earlier(const std::string& name,
                                        shm::SegmentKind kind = shm::SegmentKind::route);

}  // namespace fairlead::broker
