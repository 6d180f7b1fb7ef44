// Only one broker of a name runs at a time: whoever holds the lock on the route table's file.
#pragma once

#include <cstdint>
#include <string>

#include <fairlead/shm/segment.hpp>

namespace fairlead::broker {

// What an earlier life of this broker left for the next one (R08: its numbers go on).
struct TableLegacy {
  bool found = false;
  bool same_layout = false;  // else only its numbers could be read
  bool replaced = false;     // there was a table without numbers that could be trusted
  bool clean = false;        // the earlier broker ended by itself
  std::uint64_t epoch = 0;   // of that life
  std::uint64_t next_sequence = 1;
  std::uint64_t next_subscription = 1;
  std::uint64_t routes = 0;              // live entries that it left
  std::uint64_t waited_nanoseconds = 0;  // for guests that were away
};

struct LockedTable {
  shm::Segment segment;  // mapped read-write, locked until its descriptor is closed
  TableLegacy legacy;
};

/// Opens or creates the table segment of `broker` and locks it. A table that a dead broker left is
/// taken over, of one in another layout or half made the numbers; one without numbers that can be
/// trusted is replaced. Throws Error(name_taken) when a live broker
/// holds it (and says which), foreign_segment when it belongs to another uid.
[[nodiscard]] LockedTable lock_table(const std::string& broker, std::uint64_t maximum_bytes);

}  // namespace fairlead::broker
