// Guests that do as they should, beside hostile ones: what they get is byte by byte what was sent.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "outbox_writer.hpp"
#include "route_memory.hpp"

namespace fairlead::hostile {

inline constexpr std::uint64_t kHostOutbox = 0;
inline constexpr std::uint64_t kHonestOutbox = 1;  // ids above belong to the hostile guest
inline constexpr const char* kHonestPrincipal = "honest";
inline constexpr const char* kHostilePrincipal = "agent.hostile";

/// The payload of the message with that number.
[[nodiscard]] std::vector<std::byte> content_of(std::uint64_t number, std::size_t bytes);

/// Drains its route and knows what must come out of it.
class HonestGuest {
 public:
  HonestGuest();

  [[nodiscard]] RouteMemory& memory() noexcept { return memory_; }
  void expect(std::uint64_t sequence, std::size_t bytes) { expected_.emplace(sequence, bytes); }
  void drain(std::size_t most);
  /// After the last drain().
  void expect_complete(std::uint64_t honest_numbers) const;
  [[nodiscard]] std::uint64_t delivered() const noexcept { return delivered_; }
  [[nodiscard]] std::uint64_t of_the_hostile() const noexcept { return of_the_hostile_; }

 private:
  void see(const shm::MessageView& view);

  RouteMemory memory_;
  shm::RouteReader reader_;
  std::map<std::uint64_t, std::size_t> expected_;  // of the host: payload bytes by sequence
  std::uint64_t honest_number_ = 0;                // newest of the honest publisher
  std::uint64_t newest_of_hostile_ = 0;            // sequence
  std::uint64_t delivered_ = 0;
  std::uint64_t of_the_hostile_ = 0;
  std::vector<shm::MessageView> views_;
};

}  // namespace fairlead::hostile
