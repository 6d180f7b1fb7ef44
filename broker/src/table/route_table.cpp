#include "table/route_table.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <span>

#include <fairlead/shm/segment_name.hpp>
#include <fairlead/shm/snapshot_guard.hpp>
#include <fairlead/shm/uuid.hpp>

#include "table/adopted_lines.hpp"
#include "table/continuity.hpp"

namespace fairlead::broker {

using shm::SnapshotGuard;
using shm::TableEntry;
using shm::TableEntryState;
using shm::TableHeader;

namespace {

constexpr std::uint64_t kMaximumEntries = 65'536;
constexpr std::uint64_t kTableBytes =
    shm::kTableEntriesOffset + kMaximumEntries * sizeof(TableEntry);
// So many sequence numbers a killed broker may leave unused; at 10 million messages per second
// seven minutes' worth, moved on long before it is used up.
constexpr std::uint64_t kSequenceReservation = std::uint64_t{1} << 32;

template <class T>
void show(std::atomic<T>& word, T value) noexcept {
  word.store(value, std::memory_order_relaxed);
}

}  // namespace

RouteTable::RouteTable(const std::string& broker, std::string_view socket_path)
    : RouteTable(broker, socket_path, lock_table(broker, kTableBytes)) {}

RouteTable::RouteTable(const std::string& broker, std::string_view socket_path, LockedTable table)
    : segment_(std::move(table.segment)),
      legacy_(table.legacy),
      stamp_(broker, table.legacy.epoch + 1),
      broker_(broker),
      first_sequence_(table.legacy.next_sequence),
      next_subscription_(table.legacy.next_subscription) {
  try {
    if (legacy_.same_layout && !legacy_.clean) read_adopted();
    swept_ = sweep_leftovers(broker_, segments_named());
    format(socket_path);
  } catch (...) {
    // One that we found holds the numbers of earlier brokers, and their routes: it stays.
    if (!legacy_.found) segment_.unlink();
    throw;
  }
}

void RouteTable::read_adopted() {
  entries_ = header().entries.load(std::memory_order_acquire);
  const std::span<const TableEntry> entries(&entry(0), entries_);
  adopted_ = read_adopted_lines(header(), entries, broker_);
  std::vector<bool> used(entries_);
  for (const AdoptedLine& line : adopted_) used[line.slot] = true;
  free_.reserve(entries_ + 1);
  for (Slot slot = entries_; slot-- > 0;) {
    if (used[slot]) continue;
    entry(slot).state = TableEntryState::free;
    free_.push_back(slot);
  }
}

std::vector<std::string> RouteTable::segments_named() const {
  std::vector<std::string> names;
  for (const AdoptedLine& line : adopted_) {
    if (!line.record.segment.empty()) names.push_back(line.record.segment);
  }
  return names;
}

TableHeader& RouteTable::header() noexcept {
  return *reinterpret_cast<TableHeader*>(segment_.data());
}

TableEntry& RouteTable::entry(Slot slot) noexcept {
  return reinterpret_cast<TableEntry*>(segment_.data() + shm::kTableEntriesOffset)[slot];
}

void RouteTable::format(std::string_view socket_path) {
  TableHeader& table = header();
  if (!legacy_.same_layout) {
    table.segment.version.store(0, std::memory_order_release);  // nobody reads it now
    std::atomic_thread_fence(std::memory_order_seq_cst);
  }
  reserve_sequences(first_sequence_);  // and the epoch: before anything is made in it
  if (!legacy_.same_layout) clear_but_the_numbers();
  show(table.next_sequence, reserved_sequence_);
  {
    const SnapshotGuard guard(table.snapshot);  // sync: table-header
    table.entry_bytes = sizeof(TableEntry);
    show(table.entries, entries_);
    show(table.clean_stop, std::uint64_t{0});
    show(table.waited_nanoseconds, std::uint64_t{0});
    show(table.next_subscription, next_subscription_);
    table.socket_path.assign(socket_path);
  }
  if (entries_ == 0) segment_.shrink_to(shm::kTableEntriesOffset);
  shm::SegmentHeader stamp{};
  stamp_.fill(stamp, segment_.size());
  publish_header(table.segment, shm::SegmentKind::table, stamp);
}

void RouteTable::clear_but_the_numbers() {
  if (segment_.grow_to(shm::kTableEntriesOffset) != shm::GrowOutcome::ok)
    throw Error(ErrorCode::out_of_memory, "no memory for the route table; make room in /dev/shm");
  constexpr std::size_t kBegin = shm::kContinuityOffset + sizeof(shm::ContinuityBlock);
  std::memset(segment_.data() + kBegin, 0, shm::kTableEntriesOffset - kBegin);
}

void RouteTable::save_numbers() noexcept {
  write_continuity(header().continuity, {epoch(), reserved_sequence_, next_subscription_});
}

std::optional<RouteTable::Slot> RouteTable::free_slot() noexcept {
  if (!free_.empty()) {
    const Slot slot = free_.back();
    free_.pop_back();
    return slot;
  }
  if (entries_ == kMaximumEntries) return std::nullopt;
  const std::uint64_t bytes = shm::kTableEntriesOffset + (entries_ + 1) * sizeof(TableEntry);
  if (segment_.grow_to(bytes) != shm::GrowOutcome::ok) return std::nullopt;
  return entries_++;
}

std::optional<RouteTable::Slot> RouteTable::add(const TableRecord& record) {
  free_.reserve(entries_ + 1);  // so that erase() needs no memory
  const auto slot = free_slot();
  if (!slot) return std::nullopt;
  TableEntry& line = entry(*slot);
  {
    const SnapshotGuard guard(line.snapshot);  // sync: table-entry
    line.state = TableEntryState::free;        // whoever finds it half written ignores it
    std::atomic_signal_fence(std::memory_order_seq_cst);
    line.sealed = record.sealed ? 1 : 0;
    line.kind = record.kind;
    line.epoch = epoch();
    line.claimed_epoch = record.claimed_epoch;
    line.guest = record.guest;
    show(line.gate, record.gate);
    line.identity = record.identity;
    line.segment.assign(record.segment);
    line.payer.assign(record.payer);
    std::memcpy(line.resume_token, record.resume_token.data(), sizeof line.resume_token);
    line.missed_nanoseconds = record.missed_nanoseconds;
    std::atomic_signal_fence(std::memory_order_seq_cst);
    line.state = record.interim ? TableEntryState::interim : TableEntryState::live;
  }
  header().entries.store(entries_, std::memory_order_release);
  return slot;
}

void RouteTable::erase(Slot slot) noexcept {
  TableEntry& line = entry(slot);
  {
    const SnapshotGuard guard(line.snapshot);  // sync: table-entry
    line.state = TableEntryState::free;
    std::atomic_signal_fence(std::memory_order_seq_cst);
    line.segment.assign({});
    std::memset(line.resume_token, 0, sizeof line.resume_token);
  }
  free_.push_back(slot);
}

void RouteTable::set_gate(Slot slot, std::uint64_t gate) noexcept { show(entry(slot).gate, gate); }

void RouteTable::begin_gate_change(const ResumeToken& guest, std::uint64_t from) noexcept {
  show(header().gate_from, from);
  header().gate_guest.store(number_of(guest), std::memory_order_release);
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

void RouteTable::end_gate_change() noexcept {
  header().gate_guest.store(0, std::memory_order_release);
}

void RouteTable::finish_adoption() { end_gate_change(); }

void RouteTable::set_grace(std::uint64_t nanoseconds) noexcept {
  show(header().grace_nanoseconds, nanoseconds);
}

void RouteTable::set_waited(std::uint64_t nanoseconds) noexcept {
  show(header().waited_nanoseconds, nanoseconds);
}

void RouteTable::hand_over() noexcept { show(header().clean_stop, shm::kTableHandedOver); }

std::uint64_t RouteTable::take_subscription() noexcept {
  const std::uint64_t taken = next_subscription_++;
  save_numbers();  // before anybody sees it
  show(header().next_subscription, next_subscription_);
  return taken;
}

void RouteTable::reserve_sequences(std::uint64_t next) noexcept {
  if (next + kSequenceReservation / 2 <= reserved_sequence_) return;
  reserved_sequence_ = next + kSequenceReservation;
  save_numbers();
  show(header().next_sequence, reserved_sequence_);
}

void RouteTable::remove() noexcept {
  if (!segment_.valid()) return;
  show(header().clean_stop, shm::kTableEnded);
  segment_.unlink();
}

std::size_t sweep_leftovers(const std::string& broker, const std::vector<std::string>& keep) {
  std::size_t swept = 0;
  for (const shm::ListedSegment& listed : shm::list_segments()) {
    if (!listed.name || listed.name->broker != broker) continue;
    if (listed.name->kind == shm::SegmentKind::table ||
        std::find(keep.begin(), keep.end(), listed.file) != keep.end())
      continue;
    const std::string path = shm::segment_path(listed.file);
    struct stat found {};
    // What another uid put there under such a name is not ours to remove (and /dev/shm is sticky).
    if (::lstat(path.c_str(), &found) != 0 || found.st_uid != ::geteuid()) continue;
    if (::unlink(path.c_str()) == 0) ++swept;
  }
  return swept;
}

ResumeToken make_resume_token() {
  static_assert(sizeof(ResumeToken) == sizeof(shm::Uuid));
  return shm::make_random_uuid().bytes;
}

}  // namespace fairlead::broker
