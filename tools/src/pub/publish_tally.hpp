// What became of all messages of one `fairlead pub`.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include <fairlead/guest/publisher.hpp>

namespace fairlead::tools {

class PublishTally {
 public:
  /// Of a message that was handed over; `bytes` of payload.
  void published(std::uint64_t bytes) noexcept {
    ++messages_;
    bytes_ += bytes;
  }
  /// Of a message that could not be.
  void unpublished() noexcept { ++unpublished_; }
  void settle(const guest::PublishOutcome& outcome) noexcept;

  /// Whether every message was taken by every route that it matched.
  [[nodiscard]] bool complete() const noexcept {
    return unpublished_ == 0 && refused_ == 0 && unsettled_ == 0 && refused_messages() == 0;
  }
  [[nodiscard]] std::string summary(const std::string& principal) const;

 private:
  [[nodiscard]] std::uint64_t refused_messages() const noexcept;

  std::uint64_t messages_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t unpublished_ = 0;
  std::uint64_t unsettled_ = 0;  // no receipt to be had
  std::uint64_t matched_ = 0;
  std::uint64_t taken_ = 0;
  std::uint64_t evicted_ = 0;
  std::uint64_t refused_ = 0;
  std::array<std::uint64_t, 12> reasons_{};  // messages, indexed by shm::Refusal
};

}  // namespace fairlead::tools
