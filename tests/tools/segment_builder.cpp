#include "segment_builder.hpp"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <random>
#include <sstream>
#include <stdexcept>

#include <fairlead/shm/layout/cursor_layout.hpp>
#include <fairlead/shm/layout/layout_hash.hpp>
#include <fairlead/shm/layout/outbox_layout.hpp>
#include <fairlead/shm/route_writer.hpp>

namespace fairlead::test {
namespace {

constexpr std::uint64_t kRandomPart = 10;
constexpr std::uint64_t kCreated = 1'700'000'000'000'000'000;

shm::RouteIdentity identity_of(const RouteSpec& spec) {
  shm::RouteIdentity identity{};
  for (std::uint8_t byte = 0; byte < 16; ++byte) identity.capsule.bytes[byte] = byte;
  identity.subscription = spec.id;
  identity.route_id = spec.id;
  identity.eviction = spec.eviction;
  identity.admission = shm::AdmissionKind::all;
  identity.boundary = spec.boundary;
  identity.guest_user = 1000;
  identity.guest_process = 4300;
  identity.budget_bytes = spec.budget_bytes;
  identity.cap_bytes = std::max<std::uint64_t>(4 * spec.budget_bytes, 256 * 1024);
  identity.lane_capacity = spec.lane_capacity;
  identity.arena_offset = shm::kRouteArenaOffset;
  identity.pattern.assign(spec.pattern);
  identity.owner.assign(spec.owner);
  return identity;
}

void fill_header(shm::SegmentHeader& header, shm::SegmentKind kind,
                 const shm::SegmentHeader& stamp) {
  header.magic = shm::kSegmentMagic;
  header.kind = kind;
  header.layout_hash = shm::kLayoutHash;
  header.maximum_bytes = stamp.maximum_bytes;
  header.epoch = stamp.epoch;
  header.created_realtime_nanoseconds = stamp.created_realtime_nanoseconds;
  header.broker_process = stamp.broker_process;
  header.owner_user = stamp.owner_user;
  header.broker_start_clock_ticks = stamp.broker_start_clock_ticks;
  header.broker = stamp.broker;
  header.version.store(shm::kLayoutVersion);
}

std::uint64_t segment_bytes(const RouteSpec& spec) {
  return shm::kRouteArenaOffset + std::max<std::uint64_t>(4 * spec.budget_bytes, 256 * 1024);
}

}  // namespace

std::unique_ptr<shm::SegmentHeader> stamp_of(const SegmentOrigin& origin,
                                             std::uint64_t maximum_bytes) {
  auto made = std::make_unique<shm::SegmentHeader>();
  shm::SegmentHeader& stamp = *made;
  stamp.maximum_bytes = maximum_bytes;
  stamp.epoch = origin.epoch;
  stamp.created_realtime_nanoseconds = kCreated;
  stamp.broker_process = origin.process;
  stamp.owner_user = ::geteuid();
  stamp.broker_start_clock_ticks = origin.start_clock_ticks;
  stamp.broker.assign(origin.broker);
  return made;
}

std::string file_name_of(const SegmentOrigin& origin, shm::SegmentKind kind, std::uint64_t id) {
  return to_string(shm::SegmentName{origin.broker, kind, origin.epoch, id, kRandomPart});
}

RouteBuilder::RouteBuilder(const RouteSpec& spec)
    : spec_(spec),
      segment_(segment_bytes(spec)),
      cursors_(shm::cursor_segment_bytes(spec.lane_capacity)) {
  shm::format_route(segment_.data(), identity_of(spec),
                    *stamp_of(spec.origin, segment_bytes(spec)));
  shm::format_cursors(cursors_.data(), *stamp_of(spec.origin, cursors_.maximum_bytes()));
  route_ = std::make_unique<broker::Route>(segment_, cursors_.data(),
                                           std::make_shared<broker::Gate>(true), -1);
  reader_ = std::make_unique<shm::RouteReader>(
      std::span<const std::byte>(segment_.data(), segment_.maximum_bytes()),
      std::span<std::byte>(cursors_.data(), cursors_.maximum_bytes()), spec.lane_capacity);
}

RouteBuilder& RouteBuilder::publish(std::string_view principal, std::string_view payload,
                                    std::uint64_t age_ns) {
  const shm::MessageStamp stamp{++sequence_, kNow - age_ns, 0, sequence_};
  (void)route_->push(principal, stamp, "agent.v1.x", std::as_bytes(std::span(payload)));
  route_->move_doorbell();
  std::atomic_thread_fence(std::memory_order_seq_cst);
  route_->settle();
  return *this;
}

RouteBuilder& RouteBuilder::take(std::uint64_t byte_budget) {
  std::vector<shm::MessageView> messages;
  shm::RouteReader::Ticket ticket = 0;
  shm::RouteReader::EndedLoss loss;
  if (reader_->drain(byte_budget, 1'000'000, messages, ticket, loss) !=
      shm::RouteReader::Outcome::ok) {
    throw std::logic_error("nothing to take");
  }
  route_->maintain();
  return *this;
}

RouteBuilder& RouteBuilder::close(shm::RouteState state) {
  route_->close(state);
  return *this;
}

shm::SegmentName RouteBuilder::name() const {
  return {spec_.origin.broker, shm::SegmentKind::route, spec_.origin.epoch, spec_.id, kRandomPart};
}

std::string RouteBuilder::bytes() {
  const std::uint64_t committed = header().committed_bytes.load();
  return {reinterpret_cast<const char*>(segment_.data()), committed};
}

std::string RouteBuilder::cursor_bytes() const {
  auto& memory = const_cast<tests::HeapMemory&>(cursors_);
  return {reinterpret_cast<const char*>(memory.data()), memory.maximum_bytes()};
}

TableBuilder::TableBuilder(SegmentOrigin origin, std::string socket)
    : origin_(std::move(origin)), socket_(std::move(socket)) {}

TableBuilder& TableBuilder::add(const RouteBuilder& route, bool sealed, std::uint64_t gate) {
  shm::TableEntry& entry = entries_.emplace_back();
  entry.state = shm::TableEntryState::live;
  entry.sealed = sealed ? 1 : 0;
  entry.kind = shm::SegmentKind::route;
  entry.epoch = origin_.epoch;
  entry.gate.store(gate);
  entry.identity = route.identity();
  if (!sealed) entry.segment.assign(route.file_name());
  return *this;
}

TableBuilder& TableBuilder::add_outbox(std::uint64_t id, const std::string& owner,
                                       const std::string& receipts_file) {
  shm::TableEntry& entry = entries_.emplace_back();
  entry.state = shm::TableEntryState::live;
  entry.kind = shm::SegmentKind::outbox;
  entry.epoch = origin_.epoch;
  entry.identity.route_id = id;
  entry.identity.owner.assign(owner);
  entry.segment.assign(receipts_file);
  return *this;
}

std::string TableBuilder::bytes() const {
  const std::size_t size = shm::kTableEntriesOffset + entries_.size() * sizeof(shm::TableEntry);
  std::string bytes(size, '\0');
  auto* table = new (bytes.data()) shm::TableHeader{};
  fill_header(table->segment, shm::SegmentKind::table, *stamp_of(origin_, 1 << 20));
  table->entry_bytes = sizeof(shm::TableEntry);
  table->entries.store(entries_.size());
  table->next_sequence.store(1'000);
  table->next_subscription.store(8);
  table->clean_stop.store(stop_);
  table->grace_nanoseconds.store(30'000'000'000);
  table->socket_path.assign(socket_);
  std::size_t at = shm::kTableEntriesOffset;
  for (const shm::TableEntry& entry : entries_) {
    std::memcpy(bytes.data() + at, reinterpret_cast<const char*>(&entry), sizeof entry);
    at += sizeof entry;
  }
  return bytes;
}

std::string receipt_bytes(const SegmentOrigin& origin, std::uint64_t outbox,
                          std::uint64_t accepted) {
  std::string bytes(sizeof(shm::ReceiptHeader), '\0');
  auto image = std::make_unique<shm::ReceiptHeader>();
  fill_header(image->segment, shm::SegmentKind::receipt, *stamp_of(origin, bytes.size()));
  image->outbox_id = outbox;
  image->ring_bytes = 64 * 1024;
  image->accepted_bytes.store(accepted * 128);
  image->accepted_number.store(accepted);
  std::memcpy(bytes.data(), reinterpret_cast<const char*>(image.get()), bytes.size());
  return bytes;
}

// ---- spoiling ----------------------------------------------------------------------------------

namespace {

class Spoiler {
 public:
  explicit Spoiler(std::string bytes) : bytes_(std::move(bytes)) {}

  void run(const std::string& command) {
    std::istringstream words(command);
    std::string verb;
    if (!(words >> verb)) return;
    if (verb.starts_with("set")) {
      const std::uint64_t offset = number(words);
      set(offset, number(words), std::stoul(verb.substr(3)) / 8);
    } else if (verb == "add64") {
      const std::uint64_t offset = number(words);
      std::uint64_t value = 0;
      std::memcpy(&value, at(offset, 8), 8);
      set(offset, value + number(words), 8);
    } else if (verb == "zero") {
      const std::uint64_t offset = number(words);
      const std::uint64_t length = number(words);
      std::memset(at(offset, length), 0, length);
    } else if (verb == "text") {
      const std::uint64_t offset = number(words);
      std::string text;
      words >> text;
      std::memcpy(at(offset, text.size()), text.data(), text.size());
    } else if (verb == "cut" || verb == "grow") {
      bytes_.resize(number(words), '\0');
    } else if (verb == "noise") {
      const std::uint64_t seed = number(words);
      noise(seed, number(words));
    } else {
      throw std::logic_error("what is '" + command + "'?");
    }
    if (!words) throw std::logic_error("something is missing in '" + command + "'");
  }

  std::string take() { return std::move(bytes_); }

 private:
  static std::uint64_t number(std::istringstream& words) {
    std::string word;
    words >> word;
    return std::stoull(word, nullptr, 0);
  }

  char* at(std::uint64_t offset, std::uint64_t length) {
    if (offset + length > bytes_.size()) throw std::logic_error("beyond the segment");
    return bytes_.data() + offset;
  }
  void set(std::uint64_t offset, std::uint64_t value, std::size_t width) {
    std::memcpy(at(offset, width), &value, width);
  }
  void noise(std::uint64_t seed, std::uint64_t count) {
    std::mt19937_64 random(seed);
    for (std::uint64_t each = 0; each < count; ++each) {
      const std::uint64_t offset = random() % bytes_.size();
      bytes_[offset] = static_cast<char>(random());
    }
  }

  std::string bytes_;
};

}  // namespace

std::string spoiled(std::string bytes, std::string_view script) {
  Spoiler spoiler(std::move(bytes));
  std::istringstream commands{std::string(script)};
  for (std::string command; std::getline(commands, command, ';');) spoiler.run(command);
  return spoiler.take();
}

}  // namespace fairlead::test
