#include "dump/broker_reader.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <tuple>

#include "dump/entry_index.hpp"
#include "dump/header_reader.hpp"
#include "dump/route_reader.hpp"
#include "dump/sealed_segments.hpp"
#include "dump/segment_bytes.hpp"
#include "dump/segment_file.hpp"
#include "dump/table_reader.hpp"

namespace fairlead::tools::dump {
namespace {

class BrokerReader {
 public:
  BrokerReader(const std::string& name, const MachineOptions& options) : options_(options) {
    broker_.name = name;
  }

  BrokerDump read(const std::vector<shm::ListedSegment>& files) {
    for (const shm::ListedSegment& listed : files) {
      if (listed.name->kind == shm::SegmentKind::table) read_table_file(listed);
    }
    for (const shm::ListedSegment& listed : files) {
      if (listed.name->kind != shm::SegmentKind::table) read_file(listed);
    }
    guess_without_table();
    add_sealed();
    add_missing();
    std::sort(broker_.segments.begin(), broker_.segments.end(), [](const auto& a, const auto& b) {
      return std::tie(a.epoch, a.kind, a.id, a.file) < std::tie(b.epoch, b.kind, b.id, b.file);
    });
    return std::move(broker_);
  }

 private:
  [[nodiscard]] ReadContext context_for(std::uint32_t process, std::uint64_t ticks) const {
    ReadContext context;
    context.monotonic_now_ns = options_.monotonic_now_ns;
    context.patience.writer_lives =
        lock_ == shm::LifeLock::held || options_.process(process, ticks) != ProcessState::gone;
    return context;
  }

  SegmentDump named(const shm::ListedSegment& listed) const {
    SegmentDump segment;
    segment.file = listed.file;
    segment.kind = listed.name->kind;
    segment.epoch = listed.name->epoch;
    segment.id = listed.name->id;
    return segment;
  }

  void read_table_file(const shm::ListedSegment& listed) {
    SegmentDump segment = named(listed);
    const std::string path = shm::segment_path(listed.file, options_.directory);
    if (auto descriptor = open_segment(path, std::nullopt, segment)) {
      owner_ = segment.owner_user;
      lock_ = options_.lock(descriptor->get());
      table_bytes_ = std::make_unique<FileBytes>(std::move(*descriptor));
      if (read_header(*table_bytes_, &*listed.name, segment)) {
        const ReadContext context =
            context_for(segment.broker_process, segment.broker_start_clock_ticks);
        broker_.table = read_table(*table_bytes_, context.patience, segment);
        take_state(segment);
      }
    }
    if (broker_.table) index_ = EntryIndex(*broker_.table);
    broker_.user = segment.owner_user;
    broker_.table_segment = std::move(segment);
  }

  void take_state(const SegmentDump& segment) {
    broker_.epoch = segment.epoch;
    broker_.process = segment.broker_process;
    broker_.user = segment.owner_user;
    const ProcessState process =
        options_.process(segment.broker_process, segment.broker_start_clock_ticks);
    broker_.state = judge(process);
    broker_.elsewhere = lock_ == shm::LifeLock::held && process == ProcessState::gone;
  }

  // Who holds the table's lock lives, whatever its process number means here. That nobody does is
  // no proof by itself: this may be a copy of the table.
  [[nodiscard]] BrokerState judge(ProcessState process) const noexcept {
    if (lock_ == shm::LifeLock::held) return BrokerState::running;
    // Its process may live on: a host that embedded it.
    if (broker_.table && broker_.table->handed_over) return BrokerState::handed_over;
    if (process == ProcessState::runs) return BrokerState::running;
    if (process == ProcessState::unknown) return BrokerState::unknown;
    return broker_.table && broker_.table->clean_stop ? BrokerState::stopped : BrokerState::dead;
  }

  void read_file(const shm::ListedSegment& listed) {
    SegmentDump segment = named(listed);
    const std::string path = shm::segment_path(listed.file, options_.directory);
    if (auto descriptor = open_segment(path, owner_, segment)) {
      const FileBytes bytes(std::move(*descriptor));
      if (read_header(bytes, &*listed.name, segment)) {
        read_content(bytes, context_for(segment.broker_process, segment.broker_start_clock_ticks),
                     segment);
      }
    }
    // A broker that works on cuts and removes segments while we look.
    if (segment.verdict != Verdict::ok && !is_there(path)) return;
    add(std::move(segment));
  }

  static bool is_there(const std::string& path) {
    struct stat found {};
    return ::lstat(path.c_str(), &found) == 0;
  }

  void add(SegmentDump segment) {
    segment.entry = index_.find(segment);
    index_.mark(segment);
    broker_.segments.push_back(std::move(segment));
  }

  // No table (any more): the newest segment that can be read says whose they are.
  void guess_without_table() {
    if (broker_.process != 0) return;
    const SegmentDump* newest = nullptr;
    for (const SegmentDump& segment : broker_.segments) {
      if (segment.broker_process == 0) continue;
      if (newest == nullptr || segment.epoch > newest->epoch) newest = &segment;
    }
    if (newest != nullptr) take_state(*newest);
  }

  void add_sealed() {
    if (!broker_.table) {
      broker_.sealed_note = "there is no table that says where to ask";
      return;
    }
    if (!options_.ask_brokers) {
      broker_.sealed_note = "its broker was not asked";
      return;
    }
    if (broker_.state == BrokerState::dead || broker_.state == BrokerState::stopped ||
        broker_.state == BrokerState::handed_over) {
      broker_.sealed_note = "they went with their broker";
      return;
    }
    broker_.sealed_note = list_sealed_segments(
        broker_.table->socket_path, broker_.user,
        [this](SealedDescriptor sealed) { add_sealed_segment(std::move(sealed)); });
  }

  void add_sealed_segment(SealedDescriptor sealed) {
    SegmentDump segment;
    segment.backing = shm::Backing::sealed;
    segment.id = sealed.id;
    segment.kind = sealed.kind;
    segment.epoch = broker_.epoch;
    describe_file(sealed.descriptor.get(), segment);
    const FileBytes bytes(std::move(sealed.descriptor));
    if (read_header(bytes, nullptr, segment)) {
      if (segment.kind != sealed.kind) {
        blame(segment, Verdict::foreign, "its header says another kind than its broker");
      } else {
        read_content(bytes, context_for(broker_.process, 0), segment);
      }
    }
    segment.kind = sealed.kind;
    segment.epoch = broker_.epoch;
    add(std::move(segment));
  }

  // What the table names and nobody showed us.
  void add_missing() {
    if (!broker_.table) return;
    std::optional<EntryIndex> again;
    for (std::size_t entry = 0; entry < broker_.table->entries.size(); ++entry) {
      if (index_.seen(entry)) continue;
      SegmentDump segment = segment_of(entry);
      if (is_awaited(broker_.table->entries[entry])) {
        blame(segment, Verdict::unavailable,
              "its guest is away; it gets another one when it comes back");
      } else if (segment.backing == shm::Backing::sealed) {
        blame(segment, Verdict::unavailable,
              broker_.sealed_note.empty() ? "its broker did not show it" : broker_.sealed_note);
      } else {
        // Made after the directory was listed, or ended since the table was read?
        if (came_meanwhile(segment.file)) continue;
        if (!again) again = read_index_again();
        if (!again->find(segment)) continue;
        blame(segment, Verdict::missing, "the table names it, but it is not there");
      }
      broker_.segments.push_back(std::move(segment));
    }
  }

  // An outbox of the epoch before went with its broker and its guest's mapping of it.
  static bool is_awaited(const EntryDump& entry) noexcept {
    return entry.interim && entry.kind == shm::SegmentKind::outbox;
  }

  [[nodiscard]] SegmentDump segment_of(std::size_t index) const {
    const EntryDump& entry = broker_.table->entries[index];
    SegmentDump segment;
    segment.kind = entry.kind == shm::SegmentKind::outbox ? shm::SegmentKind::receipt : entry.kind;
    segment.epoch = entry.epoch;
    segment.id = entry.identity.route_id;
    segment.entry = index;
    if (entry.sealed) {
      segment.backing = shm::Backing::sealed;
    } else {
      segment.file = entry.segment;
    }
    return segment;
  }

  bool came_meanwhile(const std::string& file) {
    if (!is_there(shm::segment_path(file, options_.directory))) return false;
    const auto name = shm::parse_segment_name(file);
    if (name && name->broker == broker_.name) read_file({file, name});
    return true;
  }

  [[nodiscard]] EntryIndex read_index_again() const {
    SegmentDump ignored;
    const auto table = read_table(*table_bytes_, Patience{}, ignored);
    return table ? EntryIndex(*table) : EntryIndex();
  }

  const MachineOptions& options_;
  BrokerDump broker_;
  EntryIndex index_;
  std::unique_ptr<FileBytes> table_bytes_;
  std::optional<uid_t> owner_;  // of the table
  shm::LifeLock lock_ = shm::LifeLock::unknown;
};

}  // namespace

BrokerDump read_broker(const std::string& name, const std::vector<shm::ListedSegment>& files,
                       const MachineOptions& options) {
  return BrokerReader(name, options).read(files);
}

}  // namespace fairlead::tools::dump
