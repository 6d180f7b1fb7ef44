// Segments for the dump tool to read: written by the broker's own code into memory, so that a test
// can spoil them before they become files.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <fairlead/shm/layout/route_layout.hpp>
#include <fairlead/shm/layout/table_layout.hpp>
#include <fairlead/shm/route_reader.hpp>
#include <fairlead/shm/segment_name.hpp>

#include "delivery/gate.hpp"
#include "delivery/route.hpp"
#include "support/heap_memory.hpp"

namespace fairlead::test {

// What the header of every segment of a test broker says.
struct SegmentOrigin {
  std::string broker = "gold";
  std::uint64_t epoch = 3;
  std::uint32_t process = 4242;
  std::uint64_t start_clock_ticks = 77;
};

[[nodiscard]] std::unique_ptr<shm::SegmentHeader> stamp_of(const SegmentOrigin& origin,
                                                           std::uint64_t maximum_bytes);

struct RouteSpec {
  SegmentOrigin origin{};
  std::uint64_t id = 7;
  std::string pattern = "agent.v1.*";
  std::string owner = "alice";
  shm::EvictionPolicy eviction = shm::EvictionPolicy::oldest_head;
  shm::Boundary boundary = shm::Boundary::cooperative;
  std::uint64_t budget_bytes = 64 * 1024;
  std::uint32_t lane_capacity = 256;
};

class RouteBuilder {
 public:
  explicit RouteBuilder(const RouteSpec& spec = {});

  /// On the topic "agent.v1.x", with the next sequence number; `age_ns` before kNow.
  RouteBuilder& publish(std::string_view principal, std::string_view payload,
                        std::uint64_t age_ns = 0);
  /// The guest takes so many bytes' worth of messages and keeps hold of them.
  RouteBuilder& take(std::uint64_t byte_budget);
  RouteBuilder& close(shm::RouteState state);

  [[nodiscard]] shm::RouteHeader& header() { return route_->header(); }
  [[nodiscard]] const shm::RouteIdentity& identity() const { return route_->identity(); }
  [[nodiscard]] shm::SegmentName name() const;
  [[nodiscard]] std::string file_name() const { return to_string(name()); }
  /// The file: all that was allocated.
  [[nodiscard]] std::string bytes();
  [[nodiscard]] std::string cursor_bytes() const;

  /// CLOCK_MONOTONIC of the test's world.
  static constexpr std::uint64_t kNow = 1'000'000'000'000;

 private:
  RouteSpec spec_;
  tests::HeapMemory segment_;
  tests::HeapMemory cursors_;
  std::unique_ptr<broker::Route> route_;
  std::unique_ptr<shm::RouteReader> reader_;
  std::uint64_t sequence_ = 0;
};

class TableBuilder {
 public:
  explicit TableBuilder(SegmentOrigin origin = {}, std::string socket = "/run/gold.sock");

  TableBuilder& add(const RouteBuilder& route, bool sealed = false, std::uint64_t gate = 0);
  TableBuilder& add_outbox(std::uint64_t id, const std::string& owner,
                           const std::string& receipts_file);
  [[nodiscard]] shm::TableEntry& entry(std::size_t index) { return entries_[index]; }
  [[nodiscard]] std::string file_name() const { return shm::table_segment_name(origin_.broker); }
  [[nodiscard]] std::string bytes() const;
  TableBuilder& stop_cleanly() {
    stop_ = shm::kTableEnded;
    return *this;
  }
  /// Guests are waited for 30 s.
  TableBuilder& hand_over() {
    stop_ = shm::kTableHandedOver;
    return *this;
  }

 private:
  SegmentOrigin origin_;
  std::string socket_;
  std::uint64_t stop_ = 0;
  std::deque<shm::TableEntry> entries_;
};

/// A receipt segment of an outbox with a ring of 64 KiB.
[[nodiscard]] std::string receipt_bytes(const SegmentOrigin& origin, std::uint64_t outbox,
                                        std::uint64_t accepted);
/// "fairlead.gold.3.<kind>.<id>.00..0a"
[[nodiscard]] std::string file_name_of(const SegmentOrigin& origin, shm::SegmentKind kind,
                                       std::uint64_t id);

/// Spoils bytes by a script of commands with semicolons between them, numbers in decimal or hex:
///   set8|set16|set32|set64 OFFSET VALUE    little-endian
///   add64 OFFSET VALUE                     to what stands there, wrapping
///   zero OFFSET LENGTH    text OFFSET WORD    cut SIZE    grow SIZE    noise SEED COUNT
[[nodiscard]] std::string spoiled(std::string bytes, std::string_view script);

}  // namespace fairlead::test
