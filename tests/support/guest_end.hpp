// The draining side of one route as tests drive it, wherever it runs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include <fairlead/shm/route_reader.hpp>

namespace fairlead::test {

/// A copy of everything that a message view shows.
struct TakenMessage {
  std::string principal;
  std::string topic;
  std::string payload;
  std::uint64_t sequence = 0;
  std::uint64_t published_nanoseconds = 0;
  std::uint64_t publisher = 0;
  std::uint64_t publish_number = 0;
  std::uint64_t lost_messages = 0;
  std::uint64_t lost_bytes = 0;
  friend bool operator==(const TakenMessage&, const TakenMessage&) = default;
};

[[nodiscard]] TakenMessage copy_of(const shm::MessageView& view);
[[nodiscard]] std::string to_text(const TakenMessage& message);

struct DrainResult {
  shm::RouteReader::Outcome outcome = shm::RouteReader::Outcome::empty;
  std::uint32_t batch = 0;  // when ok: names it until release()
  std::vector<TakenMessage> messages;
  shm::RouteReader::EndedLoss ended;
};

/// What a guest can do with its route. Not thread-safe.
class GuestEnd {
 public:
  virtual ~GuestEnd() = default;

  virtual DrainResult drain(std::uint64_t byte_budget, std::uint64_t most) = 0;
  /// What the views of a batch that is out show at this moment.
  virtual std::vector<TakenMessage> look(std::uint32_t batch) = 0;
  virtual void release(std::uint32_t batch) = 0;
  /// Nothing when no slot is free (R22).
  virtual std::optional<std::uint32_t> hold(std::uint32_t batch, std::uint32_t index) = 0;
  virtual TakenMessage look_held(std::uint32_t hold) = 0;
  virtual void release_hold(std::uint32_t hold) = 0;
};

/// A RouteReader in this process.
class LocalGuestEnd final : public GuestEnd {
 public:
  LocalGuestEnd(std::span<const std::byte> route, std::span<std::byte> cursors,
                std::uint32_t lane_capacity)
      : reader_(route, cursors, lane_capacity) {}

  DrainResult drain(std::uint64_t byte_budget, std::uint64_t most) override;
  std::vector<TakenMessage> look(std::uint32_t batch) override;
  void release(std::uint32_t batch) override;
  std::optional<std::uint32_t> hold(std::uint32_t batch, std::uint32_t index) override;
  TakenMessage look_held(std::uint32_t hold) override;
  void release_hold(std::uint32_t hold) override;

  [[nodiscard]] shm::RouteReader& reader() noexcept { return reader_; }

 private:
  shm::RouteReader reader_;
  // A ticket names its batch, a hold slot its message.
  std::unordered_map<std::uint32_t, std::vector<shm::MessageView>> batches_;
  std::unordered_map<std::uint32_t, shm::MessageView> held_;
};

}  // namespace fairlead::test
