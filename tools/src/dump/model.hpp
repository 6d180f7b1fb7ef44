// What the dump tool found, as plain values: filled by the readers, shown by the renderers.
// Names of principals are canonical (empty is the system principal); texts out of segments hold
// whatever bytes stood there and are escaped when they are shown.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <fairlead/shm/layout/route_layout.hpp>
#include <fairlead/shm/layout/segment_header.hpp>
#include <fairlead/shm/layout/table_layout.hpp>
#include <fairlead/shm/segment.hpp>
#include <fairlead/shm/segment_name.hpp>

namespace fairlead::tools::dump {

// Ordered by how much of the segment can still be believed.
enum class Verdict : std::uint8_t {
  ok,
  torn,         // its writer stands or died in the middle of a change: numbers may not add up
  not_ready,    // its maker has not finished it, or died over it
  truncated,    // shorter than it says it is
  corrupt,      // values that no honest broker writes
  foreign,      // not made by a broker of this build, or not under this name
  squatted,     // something of somebody else's under one of our names
  unreadable,   // the kernel does not let us look
  missing,      // the table names it, but it is not there
  unavailable,  // sealed, and its broker does not show it
};

enum class Consistency : std::uint8_t {
  whole,    // all numbers of the route are of one moment
  by_part,  // the totals are, and each page of 64 lanes is
  mixed,    // the writer never held still, or never came to an end
};

struct LaneDump {
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;
  std::optional<std::string> principal;  // nothing: not readable, or gone meanwhile
  std::uint64_t depth = 0;               // messages queued
  std::uint64_t queued_bytes = 0;
  std::uint64_t published = 0;  // in this generation, as all below
  std::uint64_t delivered = 0;
  std::uint64_t evicted = 0;
  std::uint64_t refused = 0;
  std::uint64_t queued_high_water = 0;
  std::uint64_t queued_bytes_high_water = 0;
  std::uint64_t uncovered_visits = 0;
  std::optional<std::uint64_t> head_age_ns;  // nothing: empty, or published before a reboot
};

// R30: published = delivered + queued + evicted.
struct SumDump {
  std::uint64_t published = 0;
  std::uint64_t delivered = 0;
  std::uint64_t queued = 0;
  std::uint64_t evicted = 0;
  bool known = false;  // false: torn or never seen at rest, so that it need not hold
  bool holds = false;
};

struct RouteDump {
  shm::RouteIdentity identity{};
  shm::RouteState state{};
  shm::Refusal poison_reason{};
  Consistency consistency = Consistency::mixed;
  SumDump messages;
  SumDump bytes;
  std::uint64_t refused = 0;
  std::array<std::uint64_t, 12> refused_by_reason{};  // indexed by shm::Refusal
  std::uint64_t held_messages = 0;
  std::uint64_t held_bytes = 0;  // chunks that the guest's batches and kept messages pin
  std::uint64_t duplicates_dropped = 0;
  std::uint64_t carried_pushes = 0;  // outboxes whose last push was into an earlier epoch (R34)
  std::uint64_t queued_high_water = 0;
  std::uint64_t queued_bytes_high_water = 0;
  std::uint64_t active_lanes = 0;
  std::uint64_t active_lanes_high_water = 0;
  std::uint64_t arena_bytes = 0;  // all there ever can be
  std::uint64_t used_bytes = 0;   // of the arena, held ones included
  std::uint64_t free_bytes = 0;
  std::uint64_t committed_bytes = 0;  // of the file, from its start
  std::uint64_t uncovered_visits = 0;
  std::uint64_t wakes = 0;
  std::uint64_t ended_lost_messages = 0;  // of lanes that ended without a further message (R29)
  std::uint64_t ended_lost_bytes = 0;
  std::uint64_t ended_last_sequence = 0;
  shm::LossReason ended_reason{};
  std::vector<LaneDump> lanes;  // those in use, by slot
};

struct ReceiptDump {
  std::uint64_t outbox_id = 0;
  std::uint64_t ring_bytes = 0;
  std::uint64_t accepted_bytes = 0;  // ever
  std::uint64_t accepted_messages = 0;
  bool broker_asleep = false;
};

// Of guests: their word for it.
struct OutboxDump {
  std::uint64_t written_bytes = 0;  // ever
};
struct CursorDump {
  std::uint64_t held_messages = 0;
  std::uint64_t batches_out = 0;
  std::uint64_t holds_taken = 0;
  std::uint64_t waits = 0;
  std::uint64_t uncovered_visits = 0;
};

struct SegmentDump {
  std::string file;  // its name in the directory; empty for a sealed one
  shm::SegmentKind kind = shm::SegmentKind::none;
  shm::Backing backing = shm::Backing::named;
  std::uint64_t id = 0;
  std::uint64_t epoch = 0;
  Verdict verdict = Verdict::ok;
  std::vector<std::string> problems;  // whole sentences
  std::optional<std::size_t> entry;   // its line, in TableDump::entries
  std::uint64_t file_bytes = 0;
  std::uint64_t allocated_bytes = 0;
  std::uint64_t maximum_bytes = 0;
  std::uint32_t owner_user = 0;
  std::uint64_t created_realtime_ns = 0;
  std::uint32_t broker_process = 0;
  std::uint64_t broker_start_clock_ticks = 0;
  std::string broker;  // as the header says
  std::variant<std::monostate, RouteDump, ReceiptDump, OutboxDump, CursorDump> content;

  [[nodiscard]] const RouteDump* route() const noexcept { return std::get_if<RouteDump>(&content); }
};

// One live line of a route table.
struct EntryDump {
  shm::SegmentKind kind = shm::SegmentKind::none;
  bool sealed = false;
  bool torn = false;
  bool interim = false;  // its guest has not come back to this life of the broker
  std::uint64_t epoch = 0;
  std::uint64_t claimed_epoch = 0;  // the newest that the guest certainly has; 0 = none
  std::uint64_t guest = 0;
  std::uint64_t gate = 0;
  std::string segment;
  std::string payer;
  shm::RouteIdentity identity{};
};

struct TableDump {
  std::string socket_path;
  std::uint64_t next_sequence = 0;  // reserved: none from here on was given out
  std::uint64_t next_subscription = 0;
  bool clean_stop = false;
  bool handed_over = false;        // everything is left to the next broker
  std::uint64_t grace_ns = 0;      // how long a broker waits for its guests, in all
  std::vector<EntryDump> entries;  // live ones
};

enum class BrokerState : std::uint8_t { running, stopped, handed_over, dead, unknown };

struct BrokerDump {
  std::string name;
  BrokerState state = BrokerState::unknown;
  std::uint32_t process = 0;
  bool elsewhere = false;  // it runs, in another PID namespace: `process` is as it sees itself
  std::uint32_t user = 0;
  std::uint64_t epoch = 0;
  std::optional<SegmentDump> table_segment;  // nothing: there is no file of that name
  std::optional<TableDump> table;            // nothing: it cannot be read
  std::string sealed_note;                   // why sealed segments are not shown; empty: they are
  std::vector<SegmentDump> segments;         // all but the table

  /// The table's line about a segment of this broker; null without one.
  [[nodiscard]] const EntryDump* entry_of(const SegmentDump& segment) const noexcept {
    return table && segment.entry ? &table->entries[*segment.entry] : nullptr;
  }
  /// Whether a guest may still drain this route of an earlier epoch (R34).
  [[nodiscard]] bool is_drained_first(const SegmentDump& segment) const noexcept;
};

// Begins with "fairlead." but has none of our names.
struct StrayDump {
  std::string file;
  std::string sentence;
};

struct MachineDump {
  std::string directory;
  std::uint64_t taken_realtime_ns = 0;
  std::vector<BrokerDump> brokers;  // by name
  std::vector<StrayDump> strays;

  /// Segments that are not `ok`, sums that do not hold, and strays.
  [[nodiscard]] std::size_t problems() const noexcept;
};

[[nodiscard]] std::string_view to_string(Verdict verdict) noexcept;
[[nodiscard]] std::string_view to_string(Consistency consistency) noexcept;
[[nodiscard]] std::string_view to_string(BrokerState state) noexcept;

}  // namespace fairlead::tools::dump
