// The route table: which routes and outboxes a broker has, for the dump tool and for the broker's
// next life. Written by the broker alone, read by others with pread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fairlead/shm/layout/table_layout.hpp>
#include <fairlead/shm/segment.hpp>

#include "attach/segment_stamp.hpp"
#include "table/table_lock.hpp"

namespace fairlead::broker {

using ResumeToken = std::array<std::uint8_t, 16>;

// One line of the table.
struct TableRecord {
  shm::SegmentKind kind = shm::SegmentKind::route;
  bool interim = false;  // of a route: see TableEntryState
  std::uint64_t guest = 0;
  std::uint64_t epoch = 0;          // set by add()
  std::uint64_t claimed_epoch = 0;  // 0: the guest has nothing yet
  bool sealed = false;              // also when interim: what the guest has, or is to get
  std::uint64_t gate = 0;
  shm::RouteIdentity identity{};
  std::string segment{};  // empty when sealed and not interim
  std::string payer{};
  ResumeToken resume_token{};
  std::uint64_t missed_nanoseconds = 0;  // as in the table's line
};

// A line that a broker of the same name left when it died.
struct AdoptedLine {
  std::uint64_t slot = 0;
  TableRecord record;
};

// Not thread-safe; the broker's mutex guards it. The destructor leaves everything where it is (as a
// killed broker does); remove() is the clean end.
class RouteTable {
 public:
  using Slot = std::uint64_t;

  /// Takes the broker's name (see lock_table) and begins a new epoch. Of what a dead broker of that
  /// name left it keeps the lines and the segments that they name: see take_adopted(); the rest in
  /// /dev/shm is removed. Throws Error.
  RouteTable(const std::string& broker, std::string_view socket_path);

  /// What the dead broker left, once; a line per route and outbox. Each is to be erased, after
  /// another was added in its place: whoever comes after a kill in between takes the newer one.
  [[nodiscard]] std::vector<AdoptedLine> take_adopted() { return std::exchange(adopted_, {}); }
  /// All of it was taken over.
  void finish_adoption();

  /// Nothing when /dev/shm is full or the table is.
  [[nodiscard]] std::optional<Slot> add(const TableRecord& record);
  void erase(Slot slot) noexcept;
  void set_gate(Slot slot, std::uint64_t gate) noexcept;
  /// Says before a guest's gates are changed one by one what they become, so that the next broker
  /// can do the rest (R13); end_gate_change() after it.
  void begin_gate_change(const ResumeToken& guest, std::uint64_t from) noexcept;
  void end_gate_change() noexcept;

  /// For the dump tool.
  void set_grace(std::uint64_t nanoseconds) noexcept;
  /// For how long this life has waited for guests that are away: that time is not given again.
  void set_waited(std::uint64_t nanoseconds) noexcept;
  /// All of it is left to the next broker.
  void hand_over() noexcept;

  [[nodiscard]] std::uint64_t take_subscription() noexcept;
  /// Numbers from here on were never used before, in no life of this broker.
  [[nodiscard]] std::uint64_t first_sequence() const noexcept { return first_sequence_; }
  /// Keeps the reservation ahead of `next`, so that a killed broker's numbers are not used again.
  void reserve_sequences(std::uint64_t next) noexcept;

  [[nodiscard]] const SegmentStamp& stamp() const noexcept { return stamp_; }
  [[nodiscard]] std::uint64_t epoch() const noexcept { return stamp_.epoch(); }
  [[nodiscard]] const TableLegacy& legacy() const noexcept { return legacy_; }
  /// Leftover segments that were removed at the start.
  [[nodiscard]] std::size_t swept() const noexcept { return swept_; }

  /// The clean end: no later life finds anything.
  void remove() noexcept;

 private:
  RouteTable(const std::string& broker, std::string_view socket_path, LockedTable table);
  [[nodiscard]] shm::TableHeader& header() noexcept;
  [[nodiscard]] shm::TableEntry& entry(Slot slot) noexcept;
  void format(std::string_view socket_path);
  void clear_but_the_numbers();
  void save_numbers() noexcept;
  void read_adopted();
  [[nodiscard]] std::vector<std::string> segments_named() const;
  [[nodiscard]] std::optional<Slot> free_slot() noexcept;

  shm::Segment segment_;
  TableLegacy legacy_;
  SegmentStamp stamp_;
  std::vector<AdoptedLine> adopted_;
  std::string broker_;
  std::vector<Slot> free_;
  std::uint64_t entries_ = 0;  // our own count, never read back
  std::uint64_t first_sequence_;
  std::uint64_t reserved_sequence_ = 0;
  std::uint64_t next_subscription_;
  std::size_t swept_ = 0;
};

/// Removes every named segment of `broker` in /dev/shm but its table and those to `keep`. Only for
/// the holder of the table's lock: then all of them are a dead broker's. Returns how many went.
std::size_t sweep_leftovers(const std::string& broker, const std::vector<std::string>& keep);

/// The part of it that stands for its guest where there is room for no more; practically unique.
[[nodiscard]] std::uint64_t number_of(const ResumeToken& token) noexcept;

/// From getrandom(2). Throws Error(system).
[[nodiscard]] ResumeToken make_resume_token();

}  // namespace fairlead::broker
