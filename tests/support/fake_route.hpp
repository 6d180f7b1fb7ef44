// The broker's side of one route, driven by hand: RouteWriter without policy around it.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include <fairlead/shm/route_writer.hpp>
#include <fairlead/shm/segment.hpp>
#include <fairlead/shm/segment_memory.hpp>
#include <fairlead/shm/unique_fd.hpp>

namespace fairlead::test {

struct FakeRouteOptions {
  std::string pattern = "a.*";
  std::uint64_t subscription = 1;
  std::uint64_t cap_bytes = 4 * 1024 * 1024;
  std::uint32_t lanes = 64;
  shm::Backing backing = shm::Backing::sealed;
  bool wake_up = false;
  std::uint64_t epoch = 1;
};

/// Thread-safe. Unlinks its segment.
class FakeRoute {
 public:
  explicit FakeRoute(const FakeRouteOptions& options);
  ~FakeRoute();
  FakeRoute(const FakeRoute&) = delete;
  FakeRoute& operator=(const FakeRoute&) = delete;

  /// Appends and wakes the guest. Returns the sequence number; 0 when there was no room.
  std::uint64_t publish(std::string_view principal, std::string_view topic,
                        std::string_view payload);
  /// The same, waiting until the guest has made room; false after 30 seconds.
  [[nodiscard]] bool publish_patiently(std::string_view principal, std::string_view topic,
                                       std::string_view payload);
  /// Takes the principal's oldest message away; false when there is none.
  bool evict(std::string_view principal);
  /// Gives the principal's lane back, which must be empty; what it lost goes to the aggregate.
  void end_lane(std::string_view principal);
  void close(shm::RouteState state = shm::RouteState::closed);

  [[nodiscard]] shm::UniqueFd guest_segment();
  [[nodiscard]] shm::UniqueFd guest_cursors();
  [[nodiscard]] shm::UniqueFd take_guest_wake_up() { return std::move(guest_wake_up_); }
  void drop_wake_up() { wake_up_.reset(); }

  [[nodiscard]] const FakeRouteOptions& options() const noexcept { return options_; }
  [[nodiscard]] std::uint64_t route_bytes() { return memory_.segment().size(); }
  [[nodiscard]] std::uint64_t cursor_bytes() { return cursors_.size(); }
  [[nodiscard]] shm::RouteWriter& writer() noexcept { return *writer_; }
  [[nodiscard]] shm::CursorHeader& cursors() noexcept {
    return *reinterpret_cast<shm::CursorHeader*>(cursors_.data());
  }
  [[nodiscard]] const std::string& segment_name() { return memory_.segment().name(); }

 private:
  void absorb_reports();
  void signal();

  FakeRouteOptions options_;
  std::mutex mutex_;
  shm::SegmentMemory memory_;
  shm::Segment cursors_;
  shm::UniqueFd wake_up_;
  shm::UniqueFd guest_wake_up_;
  std::optional<shm::RouteWriter> writer_;
  std::map<std::string, shm::Lane, std::less<>> lanes_;
  std::uint64_t sequence_ = 0;
};

}  // namespace fairlead::test
