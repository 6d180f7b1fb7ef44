#include "support/raw_guest.hpp"

#include <fcntl.h>
#include <sys/mman.h>

#include <fairlead/shm/doorbell_condition.hpp>
#include <fairlead/shm/futex.hpp>

namespace fairlead::test {

namespace control = shm::control;

namespace {

std::chrono::steady_clock::time_point patience() {
  return std::chrono::steady_clock::now() + kPatience;
}

shm::Segment adopt(shm::UniqueFd descriptor, shm::Access access, std::uint64_t bytes) {
  shm::OpenOptions options;
  options.map_bytes = bytes;
  return shm::Segment::adopt_descriptor(std::move(descriptor), access, options).value();
}

}  // namespace

shm::Uuid test_capsule(std::uint8_t number) {
  shm::Uuid uuid{};
  uuid.bytes.fill(number);
  return uuid;
}

control::Kind Reply::kind() const {
  control::Header header{};
  if (bytes.size() < sizeof header) return control::Kind::none;
  std::memcpy(&header, bytes.data(), sizeof header);
  return header.kind;
}

// ---- routes ------------------------------------------------------------------------------------

RawRoute::RawRoute(const control::Subscribed& subscribed, std::vector<shm::UniqueFd> descriptors)
    : answer(subscribed),
      route_(adopt(std::move(descriptors.at(0)), shm::Access::read_only,
                   subscribed.route_segment_bytes)),
      cursors_(adopt(std::move(descriptors.at(1)), shm::Access::read_write,
                     subscribed.cursor_segment_bytes)) {
  if (descriptors.size() > 2) wake_ = std::move(descriptors[2]);
  reader_ = std::make_unique<shm::RouteReader>(route_.bytes(), cursors_.bytes(),
                                               subscribed.lane_capacity);
}

std::vector<RawMessage> RawRoute::drain() {
  std::vector<RawMessage> copies;
  for (;;) {
    std::vector<shm::MessageView> views;
    shm::RouteReader::Ticket ticket = 0;
    shm::RouteReader::EndedLoss ended;
    if (reader_->drain(1 << 20, 4'096, views, ticket, ended) != shm::RouteReader::Outcome::ok)
      return copies;
    for (const shm::MessageView& view : views) {
      copies.push_back({std::string(view.principal()), std::string(view.topic()),
                        std::string(view.text()), view.sequence(), view.publisher(),
                        view.publish_number()});
    }
    reader_->release(ticket, views.size());
  }
}

std::vector<std::string> RawRoute::payloads() {
  std::vector<std::string> texts;
  for (RawMessage& message : drain()) texts.push_back(std::move(message.payload));
  return texts;
}

std::vector<RawMessage> RawRoute::drain_until(std::size_t count) {
  std::vector<RawMessage> all;
  const auto deadline = patience();
  while (all.size() < count) {
    shm::DoorbellWaiter waiter(reader_->doorbell(), reader_->wait_count());
    for (RawMessage& message : drain()) all.push_back(std::move(message));
    if (all.size() >= count) break;
    if (waiter.sleep_until(deadline) == shm::DoorbellOutcome::timed_out) {
      ADD_FAILURE() << "only " << all.size() << " of " << count << " messages arrived";
      break;
    }
  }
  return all;
}

shm::CursorHeader& RawRoute::cursors() noexcept {
  return *reinterpret_cast<shm::CursorHeader*>(cursors_.data());
}
shm::LaneCursor& RawRoute::lane(std::uint32_t number) noexcept {
  return reinterpret_cast<shm::LaneCursor*>(cursors_.data() + shm::kCursorLanesOffset)[number];
}
const shm::RouteHeader& RawRoute::header() const noexcept {
  return *reinterpret_cast<const shm::RouteHeader*>(route_.data());
}

// ---- outboxes ----------------------------------------------------------------------------------

RawOutbox::RawOutbox(const control::OutboxOpened& opened, std::vector<shm::UniqueFd> descriptors)
    : answer(opened),
      outbox_(adopt(std::move(descriptors.at(0)), shm::Access::read_write,
                    opened.outbox_segment_bytes)),
      receipts_(adopt(std::move(descriptors.at(1)), shm::Access::read_only,
                      opened.receipt_segment_bytes)) {}

void RawOutbox::write(std::string_view topic, std::string_view payload, std::uint64_t block_until,
                      const std::function<void(shm::OutboxRecord&)>& tweak) {
  const std::uint64_t bytes =
      (sizeof(shm::OutboxRecord) + payload.size() + topic.size() + 15) / 16 * 16;
  std::byte* const ring = outbox_.data() + shm::kOutboxRingOffset;
  const std::uint64_t mask = answer.ring_bytes - 1;
  const std::uint64_t rest = answer.ring_bytes - (tail_ & mask);
  if (bytes > rest) {
    shm::OutboxRecord filler{};
    filler.record_bytes = static_cast<std::uint32_t>(rest);
    filler.kind = shm::OutboxKind::filler;
    if (rest >= sizeof filler) std::memcpy(ring + (tail_ & mask), &filler, sizeof filler);
    tail_ += rest;
  }
  shm::OutboxRecord record{static_cast<std::uint32_t>(bytes),
                           shm::OutboxKind::message,
                           static_cast<std::uint32_t>(payload.size()),
                           static_cast<std::uint32_t>(topic.size()),
                           ++number_,
                           block_until};
  if (tweak) tweak(record);
  std::byte* const at = ring + (tail_ & mask);
  std::memcpy(at, &record, sizeof record);
  std::memcpy(at + sizeof record, payload.data(), payload.size());
  std::memcpy(at + sizeof record + payload.size(), topic.data(), topic.size());
  tail_ += bytes;
}

void RawOutbox::set_tail(std::uint64_t tail) {
  reinterpret_cast<shm::OutboxHeader*>(outbox_.data())->tail.store(tail);
}

bool RawOutbox::show() {
  set_tail(tail_);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  return receipts().broker_asleep.load() != 0;
}

const shm::ReceiptHeader& RawOutbox::receipts() const noexcept {
  return *reinterpret_cast<const shm::ReceiptHeader*>(receipts_.data());
}

std::uint64_t RawOutbox::accepted() const noexcept { return receipts().accepted_number.load(); }

const shm::Receipt& RawOutbox::wait_for(std::uint64_t number) const {
  const auto deadline = patience();
  for (;;) {
    const std::uint32_t doorbell = receipts().doorbell.load();
    if (accepted() >= number) break;
    const auto left = deadline - std::chrono::steady_clock::now();
    if (left.count() <= 0) {
      ADD_FAILURE() << "publish " << number << " was never acknowledged";
      break;
    }
    (void)shm::futex_wait(receipts().doorbell, doorbell, left);
  }
  const shm::Receipt& receipt = receipts().receipts[number % shm::kReceiptEntries];
  EXPECT_EQ(receipt.publish_number.load(), number);
  return receipt;
}

// ---- the connection ----------------------------------------------------------------------------

void RawGuest::send_bytes(std::span<const std::byte> bytes, std::span<const int> descriptors) {
  (void)shm::send_packet_until(descriptor(), bytes, descriptors, patience());
}

void RawGuest::plain(control::Kind kind, std::uint64_t value) {
  auto made = packet<control::Plain>(kind);
  made.value = value;
  send(made);
}

void RawGuest::acknowledge(std::uint64_t request) {
  auto made = packet<control::Plain>(control::Kind::acknowledge);
  made.header.request = request;
  send(made);
}

Reply RawGuest::receive() {
  Reply reply;
  reply.bytes.resize(control::kMaximumPacketBytes);
  shm::ReceivedPacket packet = shm::receive_packet_until(descriptor(), reply.bytes, 8, patience());
  reply.outcome = packet.outcome;
  reply.bytes.resize(packet.bytes);
  reply.descriptors = std::move(packet.descriptors);
  EXPECT_NE(reply.outcome, shm::ReceiveOutcome::nothing) << "the broker did not answer";
  return reply;
}

bool RawGuest::nothing_to_receive() {
  std::array<std::byte, control::kMaximumPacketBytes> buffer{};
  return shm::receive_packet(descriptor(), buffer, 8).outcome == shm::ReceiveOutcome::nothing;
}

std::string RawGuest::refusal(ErrorCode expected) {
  const Reply reply = receive();
  if (reply.kind() != control::Kind::refused) {
    ADD_FAILURE() << "expected a refusal, got kind " << static_cast<unsigned>(reply.kind());
    return {};
  }
  const auto refused = reply.as<control::Refused>();
  EXPECT_EQ(to_string(static_cast<ErrorCode>(refused.code)), to_string(expected))
      << refused.sentence.view();
  return std::string(refused.sentence.view());
}

bool RawGuest::hung_up() {
  for (;;) {
    const Reply reply = receive();
    if (reply.outcome != shm::ReceiveOutcome::received)
      return reply.outcome == shm::ReceiveOutcome::closed ||
             reply.outcome == shm::ReceiveOutcome::failed;
  }
}

control::Hello RawGuest::hello_packet(std::string_view principal, std::uint8_t capsule) {
  auto made = packet<control::Hello>(control::Kind::hello);
  made.protocol_version = control::kProtocolVersion;
  made.layout_hash = shm::kLayoutHash;
  made.capsule = test_capsule(capsule);
  made.principal.assign(principal);
  made.program.assign("raw_guest");
  return made;
}

control::Welcome RawGuest::hello(std::string_view principal, std::uint8_t capsule) {
  send(hello_packet(principal, capsule));
  const Reply reply = receive();
  EXPECT_EQ(reply.kind(), control::Kind::welcome);
  if (reply.kind() == control::Kind::refused)
    ADD_FAILURE() << reply.as<control::Refused>().sentence.view();
  return reply.as<control::Welcome>();
}

control::Subscribe RawGuest::subscribe_packet(std::string_view pattern) {
  auto made = packet<control::Subscribe>(control::Kind::subscribe);
  made.pattern.assign(pattern);
  made.admission = shm::AdmissionKind::all;
  made.eviction = shm::EvictionPolicy::oldest_head;
  made.lane_capacity = 64;
  return made;
}

std::unique_ptr<RawRoute> RawGuest::subscribe(const control::Subscribe& packet) {
  send(packet);
  Reply reply = receive();
  if (reply.kind() == control::Kind::refused)
    ADD_FAILURE() << reply.as<control::Refused>().sentence.view();
  if (reply.kind() != control::Kind::subscribed || reply.descriptors.size() < 2) {
    ADD_FAILURE() << "not subscribed";
    return nullptr;
  }
  auto route =
      std::make_unique<RawRoute>(reply.as<control::Subscribed>(), std::move(reply.descriptors));
  acknowledge(packet.header.request);
  return route;
}

std::unique_ptr<RawOutbox> RawGuest::open_outbox(std::uint64_t ring_bytes) {
  auto made = packet<control::OpenOutbox>(control::Kind::open_outbox);
  made.ring_bytes = ring_bytes;
  send(made);
  Reply reply = receive();
  if (reply.kind() == control::Kind::refused)
    ADD_FAILURE() << reply.as<control::Refused>().sentence.view();
  if (reply.kind() != control::Kind::outbox_opened || reply.descriptors.size() != 2) {
    ADD_FAILURE() << "no outbox";
    return nullptr;
  }
  auto outbox =
      std::make_unique<RawOutbox>(reply.as<control::OutboxOpened>(), std::move(reply.descriptors));
  acknowledge(made.header.request);
  return outbox;
}

void RawGuest::publish(RawOutbox& outbox) {
  if (outbox.show()) plain(control::Kind::kick);
}

const shm::Receipt& RawGuest::publish(RawOutbox& outbox, std::string_view topic,
                                      std::string_view payload) {
  outbox.write(topic, payload);
  publish(outbox);
  return outbox.wait_for(outbox.newest());
}

void RawGuest::done() {
  const Reply reply = receive();
  EXPECT_EQ(reply.kind(), control::Kind::done);
  if (reply.kind() == control::Kind::refused)
    ADD_FAILURE() << reply.as<control::Refused>().sentence.view();
}

void RawGuest::set_gate(bool open) {
  auto made = packet<control::SetGate>(control::Kind::set_gate);
  made.open = open ? 1 : 0;
  send(made);
  done();
}

}  // namespace fairlead::test
