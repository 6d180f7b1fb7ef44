// Publishing when the broker is gone, or not what it says.
#include <future>
#include <set>
#include <thread>

#include "guest/publish_fixture.hpp"
#include "support/child_process.hpp"

namespace fairlead::guest {
namespace {

using test::control::Header;
using test::control::Kind;
using Packet = std::span<const std::byte>;

TEST(Publish, a_broker_that_is_gone_is_disconnected) {
  Publishing guest;
  const PublishOutcome before = guest.publish("x");
  guest.broker.hang_up();
  EXPECT_EQ(guest.publish("y", {}).status, PublishStatus::disconnected);
  EXPECT_EQ(guest.publish("z").status, PublishStatus::disconnected);
  EXPECT_EQ(guest.publisher.outcome(before.number).status, PublishStatus::disconnected);
  EXPECT_EQ(guest.publisher.flush(seconds(1)), FlushOutcome::disconnected);
}

TEST(Publish, a_broker_that_dies_while_we_wait_is_disconnected) {
  Publishing guest;
  guest.outbox().set_asleep(false);
  auto published = std::async(std::launch::async, [&] { return guest.publish("x", {}).status; });
  while (guest.publisher.newest_number() == 0) std::this_thread::yield();
  guest.broker.hang_up();
  EXPECT_EQ(published.get(), PublishStatus::disconnected);
}

TEST(Publish, receipts_that_make_no_sense_are_corrupt) {
  for (const int broken : {0, 1, 2}) {
    Publishing guest;
    guest.publish("x");
    auto& receipts = guest.outbox().receipts();
    if (broken == 0) receipts.accepted_bytes = 1ULL << 40;
    if (broken == 1) receipts.accepted_number = 1ULL << 40;
    if (broken == 2) receipts.accepted_number = 1;  // but the receipt says nothing of it
    if (broken == 2) {
      EXPECT_EQ(guest.publisher.outcome(1).status, PublishStatus::corrupt);
    } else {
      EXPECT_EQ(guest.publish("y").status, PublishStatus::corrupt);
    }
  }
}

TEST(Publish, a_forked_child_cannot_publish_for_its_parent) {
  Publishing guest;
  test::ChildProcess child([&]() -> std::string {
    const auto status = guest.publish("x").status;
    return status == PublishStatus::disconnected ? "" : std::string(to_string(status));
  });
  EXPECT_EQ(child.result(), "");
  EXPECT_FALSE(guest.outbox().take());
}

TEST(Publish, a_guest_has_one_outbox) {
  Publishing guest;
  Publisher second = guest.guest.publisher({.ring_bytes = 1 << 20});
  EXPECT_EQ(second.publish("a.b", "x", kAsynchronous).number, 1U);
  EXPECT_EQ(guest.publish("y").number, 2U);
  guest.guest.open_gate();  // whatever was sent before has been counted
  EXPECT_EQ(guest.broker.count(Kind::open_outbox), 1U);
  EXPECT_EQ(guest.outbox().ring_bytes(), 4'096U);
}

TEST(Publish, an_outbox_that_is_not_what_the_broker_says_is_refused) {
  using Opened = shm::control::OutboxOpened;
  const std::vector<std::pair<ErrorCode, std::function<void(Opened&)>>> lies = {
      {ErrorCode::corrupt, [](Opened& opened) { opened.ring_bytes = 4'095; }},
      {ErrorCode::corrupt, [](Opened& opened) { opened.ring_bytes = 0; }},
      {ErrorCode::corrupt, [](Opened& opened) { opened.ring_bytes = 1ULL << 63; }},
      {ErrorCode::corrupt, [](Opened& opened) { opened.outbox_segment_bytes = 100; }},
      {ErrorCode::corrupt, [](Opened& opened) { opened.receipt_segment_bytes = 100; }},
      {ErrorCode::truncated, [](Opened& opened) { opened.outbox_segment_bytes *= 2; }},
      {ErrorCode::truncated, [](Opened& opened) { opened.receipt_segment_bytes *= 2; }},
  };
  FakeBroker broker;
  Guest guest = attach_to(broker);
  for (const auto& [code, lie] : lies) {
    broker.on(Kind::open_outbox, [&lie = lie](FakeSession& session, const Header& header, Packet) {
      FakeOutbox outbox(4'096);
      Opened opened{};
      opened.ring_bytes = 4'096;
      opened.outbox_segment_bytes = outbox.outbox_bytes();
      opened.receipt_segment_bytes = outbox.receipt_bytes();
      lie(opened);
      const auto ring = outbox.guest_outbox();
      const auto receipts = outbox.guest_receipts();
      session.answer(Kind::outbox_opened, header.request, opened, {ring.get(), receipts.get()});
    });
    expect_error(code, [&] { (void)guest.publisher(); });
  }
  broker.on(Kind::open_outbox, [](FakeSession& session, const Header& header, Packet) {
    Opened opened{};
    opened.ring_bytes = 4'096;
    opened.outbox_segment_bytes = 8'192;
    opened.receipt_segment_bytes = 1 << 20;
    session.answer(Kind::outbox_opened, header.request, opened);
  });
  expect_error(ErrorCode::protocol, [&] { (void)guest.publisher(); });
}

TEST(Publish, every_status_and_reason_has_a_name) {
  std::set<std::string_view> names;
  for (int i = 0; i <= static_cast<int>(PublishStatus::corrupt); ++i) {
    names.insert(to_string(static_cast<PublishStatus>(i)));
  }
  EXPECT_EQ(names.size(), static_cast<std::size_t>(PublishStatus::corrupt) + 1);
  EXPECT_EQ(to_string(static_cast<PublishStatus>(99)), "unknown");
  names.clear();
  for (int i = 0; i <= static_cast<int>(shm::Refusal::route_closed); ++i) {
    names.insert(to_string(static_cast<shm::Refusal>(i)));
  }
  EXPECT_EQ(names.size(), static_cast<std::size_t>(shm::Refusal::route_closed) + 1);
  EXPECT_EQ(to_string(static_cast<shm::Refusal>(99)), "unknown");
}

}  // namespace
}  // namespace fairlead::guest
