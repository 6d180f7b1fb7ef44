#include "table/table_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

#include <fairlead/shm/layout/table_layout.hpp>
#include <fairlead/shm/life_lock.hpp>
#include <fairlead/shm/segment_name.hpp>

#include "table/continuity.hpp"

namespace fairlead::broker {

using shm::OpenOutcome;
using shm::Segment;
using shm::TableHeader;

namespace {

enum class Lock : std::uint8_t { got, taken, replaced };

// For somebody who finds a file of that name that no broker of his made.
std::string advice_on(const std::string& name) {
  const std::string path = shm::segment_path(name);
  struct stat found {};
  if (::lstat(path.c_str(), &found) != 0) return "";
  return "; no broker made it, it belongs to uid " + std::to_string(found.st_uid) +
         (S_ISDIR(found.st_mode) ? ": remove the directory"
                                 : ": remove it with `rm " + path + '`') +
         " or choose another name";
}

bool still_named(int descriptor, const std::string& name) {
  struct stat ours {};
  struct stat named {};
  return ::fstat(descriptor, &ours) == 0 && ::lstat(shm::segment_path(name).c_str(), &named) == 0 &&
         ours.st_dev == named.st_dev && ours.st_ino == named.st_ino;
}

/// The lock belongs to the open file: it ends with the process, however that ends. Whoever got it
/// must look again whether the name still leads here: its last holder may have removed it.
Lock try_lock(int descriptor, const std::string& name) {
  int result = 0;
  do {
    result = ::flock(descriptor, LOCK_EX | LOCK_NB);
  } while (result != 0 && errno == EINTR);
  if (result != 0) {
    if (errno == EWOULDBLOCK) return Lock::taken;
    throw_system("cannot lock " + shm::segment_path(name));
  }
  return still_named(descriptor, name) ? Lock::got : Lock::replaced;
}
Lock try_lock(const Segment& segment) {
  const Lock lock = try_lock(segment.descriptor(), segment.name());
  if (lock == Lock::got) shm::hold_life_lock(segment.descriptor());
  return lock;
}

[[noreturn]] void throw_running(const std::string& broker, const std::string& who = {}) {
  throw Error(ErrorCode::name_taken, "a broker named " + broker + " is running already" + who +
                                         "; stop it or choose another name");
}

[[noreturn]] void throw_running(const Segment& segment, const std::string& broker) {
  const auto& header = *reinterpret_cast<const shm::SegmentHeader*>(segment.data());
  const std::uint32_t process = header.broker_process;  // 0: it has only just begun
  throw_running(broker, process == 0 ? "" : " as process " + std::to_string(process));
}

/// A file that is too short for a table: its maker died, or is at it just now. Like every table it
/// is removed by who holds its lock, and looked at again under it.
void remove_unfinished(const std::string& name, const std::string& broker) {
  const std::string path = shm::segment_path(name);
  const shm::UniqueFd file(
      ::open(path.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file) return;
  const Lock lock = try_lock(file.get(), name);
  if (lock == Lock::taken) throw_running(broker);
  struct stat found {};
  if (lock != Lock::got || ::fstat(file.get(), &found) != 0) return;
  if (found.st_uid != ::geteuid() || found.st_size >= std::int64_t{sizeof(shm::SegmentHeader)})
    return;
  ::unlink(path.c_str());
}

bool makes_sense(const Segment& segment) {
  if (segment.file_bytes() < shm::kTableEntriesOffset) return false;
  const auto& table = *reinterpret_cast<const TableHeader*>(segment.data());
  return table.entry_bytes == sizeof(shm::TableEntry) &&
         table.entries.load() <=
             (segment.file_bytes() - shm::kTableEntriesOffset) / sizeof(shm::TableEntry);
}

/// Nothing unless the numbers are there, which stand in the same place in every layout.
std::optional<TableLegacy> read_legacy(const Segment& segment) {
  if (segment.file_bytes() < shm::kContinuityOffset + sizeof(shm::ContinuityBlock))
    return std::nullopt;
  const auto numbers = read_continuity(
      *reinterpret_cast<const shm::ContinuityBlock*>(segment.data() + shm::kContinuityOffset));
  if (!numbers) return std::nullopt;
  TableLegacy legacy;
  legacy.found = true;
  legacy.epoch = numbers->epoch;
  legacy.next_sequence = numbers->next_sequence;
  legacy.next_subscription = numbers->next_subscription;
  shm::OpenOptions strict;
  strict.kind = shm::SegmentKind::table;
  legacy.same_layout = check_segment_header(segment.descriptor(), segment.name(), strict).outcome ==
                           OpenOutcome::ok &&
                       makes_sense(segment);
  if (!legacy.same_layout) return legacy;
  const auto& table = *reinterpret_cast<const TableHeader*>(segment.data());
  legacy.clean = table.clean_stop.load() == shm::kTableEnded;
  legacy.waited_nanoseconds = table.waited_nanoseconds.load();
  const auto* entries =
      reinterpret_cast<const shm::TableEntry*>(segment.data() + shm::kTableEntriesOffset);
  for (std::uint64_t index = 0; index < table.entries.load(); ++index) {
    if (entries[index].state == shm::TableEntryState::live) ++legacy.routes;
  }
  return legacy;
}

Segment create(const std::string& name, std::uint64_t maximum_bytes) {
  return Segment::create_named(name, maximum_bytes, shm::kTableEntriesOffset);
}

}  // namespace

LockedTable lock_table(const std::string& broker, std::uint64_t maximum_bytes) {
  const std::string name = shm::table_segment_name(broker);
  // Each round either ends or saw another broker come or go in the middle of it.
  bool replaced = false;
  for (int round = 0; round < 8; ++round) {
    shm::OpenOptions options;
    options.owner = ::geteuid();
    options.check_header = false;
    options.map_bytes = maximum_bytes;
    shm::OpenResult opened = Segment::open_named_read_write(name, options);
    LockedTable table;
    if (opened.ok()) {
      table.segment = std::move(opened.segment);
      const Lock lock = try_lock(table.segment);
      if (lock == Lock::replaced) continue;
      if (lock == Lock::taken) throw_running(table.segment, broker);
      if (const auto legacy = read_legacy(table.segment)) {
        table.legacy = *legacy;
        return table;
      }
      replaced = true;
      table.segment.unlink();
      continue;
    }
    if (opened.outcome == OpenOutcome::too_small) {
      remove_unfinished(name, broker);
      continue;
    }
    if (opened.outcome != OpenOutcome::missing) {
      throw Error(error_code(opened.outcome), opened.sentence + advice_on(name));
    }
    Lock lock = Lock::replaced;
    try {
      table.segment = create(name, maximum_bytes);
      lock = try_lock(table.segment);
    } catch (const Error& error) {
      if (error.code() == ErrorCode::name_taken) continue;
      table.segment.unlink();
      throw;
    }
    table.legacy.replaced = replaced;
    if (lock == Lock::got) return table;
    if (lock == Lock::taken) throw_running(table.segment, broker);
  }
  throw Error(ErrorCode::name_taken,
              "brokers named " + broker + " come and go; choose another name");
}

}  // namespace fairlead::broker
