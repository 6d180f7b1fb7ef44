// What the broker makes of an outbox in which anything may stand.
#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "outbox/outbox_reader.hpp"

namespace fairlead::broker {
namespace {

using shm::OutboxKind;
using shm::OutboxRecord;

class OutboxReading : public testing::Test {
 protected:
  static constexpr std::uint64_t kRing = 4'096;

  OutboxReading()
      : memory_(new std::byte[shm::kOutboxRingOffset + kRing]()), reader_(memory_.get(), kRing) {}

  std::byte* ring() { return memory_.get() + shm::kOutboxRingOffset; }
  void set_tail(std::uint64_t tail) {
    reinterpret_cast<shm::OutboxHeader*>(memory_.get())->tail.store(tail);
    tail_ = tail;
  }

  static OutboxRecord record(std::uint64_t number, std::uint32_t payload, std::uint32_t topic) {
    return {static_cast<std::uint32_t>((sizeof(OutboxRecord) + payload + topic + 15) / 16 * 16),
            OutboxKind::message,
            payload,
            topic,
            number,
            0};
  }
  void put(std::uint64_t offset, const OutboxRecord& record, std::string_view payload = {},
           std::string_view topic = {}) {
    std::memcpy(ring() + offset, &record, sizeof record);
    std::copy(payload.begin(), payload.end(),
              reinterpret_cast<char*>(ring() + offset + sizeof record));
    std::copy(topic.begin(), topic.end(),
              reinterpret_cast<char*>(ring() + offset + sizeof record + payload.size()));
  }
  /// An honest message at the tail.
  void write(std::uint64_t number, std::string_view payload, std::string_view topic) {
    const auto head = record(number, static_cast<std::uint32_t>(payload.size()),
                             static_cast<std::uint32_t>(topic.size()));
    put(tail_ % kRing, head, payload, topic);
    set_tail(tail_ + head.record_bytes);
  }
  void pass_message(std::uint64_t number, std::size_t payload) {
    write(number, std::string(payload, 'x'), "t");
    ASSERT_EQ(reader_.peek(), OutboxReader::Peek::message);
    reader_.consume();
  }
  std::string violation() {
    EXPECT_EQ(reader_.peek(), OutboxReader::Peek::violation);
    EXPECT_EQ(reader_.peek(), OutboxReader::Peek::violation);  // for ever
    return std::string(reader_.violation());
  }

  std::unique_ptr<std::byte[]> memory_;
  OutboxReader reader_;
  std::uint64_t tail_ = 0;
};

TEST_F(OutboxReading, an_outbox_full_of_zeros_is_empty) {
  EXPECT_FALSE(reader_.pending());
  EXPECT_EQ(reader_.peek(), OutboxReader::Peek::nothing);
}

TEST_F(OutboxReading, a_message_comes_out_as_it_was_written_until_it_is_consumed) {
  write(1, "payload", "a.topic");
  EXPECT_TRUE(reader_.pending());
  for (int twice = 0; twice < 2; ++twice) {
    ASSERT_EQ(reader_.peek(), OutboxReader::Peek::message);
    EXPECT_EQ(reader_.message().topic, "a.topic");
    EXPECT_EQ(std::memcmp(reader_.message().payload.data(), "payload", 7), 0);
    EXPECT_EQ(reader_.message().publish_number, 1U);
  }
  reader_.consume();
  EXPECT_EQ(reader_.position(), tail_);
  EXPECT_EQ(reader_.peek(), OutboxReader::Peek::nothing);
}

TEST_F(OutboxReading, a_topic_that_the_guest_changes_after_the_look_stays_as_it_was_seen) {
  write(1, "p", "honest");
  ASSERT_EQ(reader_.peek(), OutboxReader::Peek::message);
  std::memset(ring() + sizeof(OutboxRecord) + 1, 'X', 6);
  ASSERT_EQ(reader_.peek(), OutboxReader::Peek::message);
  EXPECT_EQ(reader_.message().topic, "honest");
}

TEST_F(OutboxReading, a_filler_leads_to_the_ring_s_start) {
  pass_message(1, 3'000);
  OutboxRecord filler{};
  filler.record_bytes = static_cast<std::uint32_t>(kRing - tail_);
  filler.kind = OutboxKind::filler;
  put(tail_, filler);
  set_tail(kRing);
  EXPECT_EQ(reader_.peek(), OutboxReader::Peek::nothing);
  EXPECT_EQ(reader_.position(), kRing);
  write(2, "second", "t");
  ASSERT_EQ(reader_.peek(), OutboxReader::Peek::message);
  EXPECT_EQ(reader_.message().publish_number, 2U);
}

TEST_F(OutboxReading, a_rest_too_short_for_a_header_is_a_filler_whatever_it_holds) {
  // 4096 - 16 bytes: 32 of header, 4047 of payload, 1 of topic.
  pass_message(1, kRing - 16 - sizeof(OutboxRecord) - 1);
  ASSERT_EQ(tail_, kRing - 16);
  std::memset(ring() + tail_, 0xff, 16);
  set_tail(kRing);
  write(2, "second", "t");
  ASSERT_EQ(reader_.peek(), OutboxReader::Peek::message);
  EXPECT_EQ(reader_.message().publish_number, 2U);
}

TEST_F(OutboxReading, a_topic_too_long_for_any_rule_is_handed_on_as_such) {
  write(1, "", std::string(300, 't'));
  ASSERT_EQ(reader_.peek(), OutboxReader::Peek::message);
  EXPECT_EQ(reader_.message().topic.size(), shm::kMaximumTopicBytes + 1);
}

TEST_F(OutboxReading, hostile_tails_are_refused) {
  set_tail(8);
  EXPECT_EQ(violation(), "its outbox tail is not a multiple of 16");
}
TEST_F(OutboxReading, hostile_tail_beyond_the_ring) {
  set_tail(kRing + 16);
  EXPECT_EQ(violation(), "its outbox tail claims more bytes than the ring holds");
}
TEST_F(OutboxReading, hostile_tail_at_the_end_of_all_numbers) {
  set_tail(~std::uint64_t{15});
  EXPECT_EQ(violation(), "its outbox tail claims more bytes than the ring holds");
}
TEST_F(OutboxReading, hostile_tail_that_goes_back) {
  pass_message(1, 10);
  set_tail(16);
  EXPECT_EQ(violation(), "its outbox tail went backwards");
}
TEST_F(OutboxReading, hostile_tail_inside_a_header) {
  write(1, "p", "t");
  set_tail(16);
  EXPECT_EQ(violation(), "its outbox ends inside a record");
}

struct HostileRecord {
  const char* name;
  std::function<void(OutboxRecord&)> tweak;
  const char* reason;
};

class HostileOutboxRecords : public OutboxReading,
                             public testing::WithParamInterface<HostileRecord> {};

TEST_P(HostileOutboxRecords, are_refused) {
  OutboxRecord head = record(1, 100, 4);
  set_tail(head.record_bytes);
  GetParam().tweak(head);
  put(0, head);
  EXPECT_EQ(violation(), GetParam().reason);
}

constexpr const char* kSizes = "a record in its outbox has another size than its parts";
INSTANTIATE_TEST_SUITE_P(
    All, HostileOutboxRecords,
    testing::Values(
        HostileRecord{"kind_zero", [](auto& r) { r.kind = OutboxKind::none; },
                      "its outbox holds a record of unknown kind"},
        HostileRecord{"kind_unknown", [](auto& r) { r.kind = static_cast<OutboxKind>(77); },
                      "its outbox holds a record of unknown kind"},
        HostileRecord{"size_zero", [](auto& r) { r.record_bytes = 0; }, kSizes},
        HostileRecord{"size_small", [](auto& r) { r.record_bytes = 32; }, kSizes},
        HostileRecord{"size_odd", [](auto& r) { r.record_bytes = 137; }, kSizes},
        HostileRecord{"payload_huge", [](auto& r) { r.payload_bytes = 0xffff'ffff; }, kSizes},
        HostileRecord{"topic_huge", [](auto& r) { r.topic_bytes = 0xffff'ffff; }, kSizes},
        HostileRecord{"sum_wraps",
                      [](auto& r) {
                        r.payload_bytes = 0xffff'fff0;
                        r.topic_bytes = 0x40;
                        r.record_bytes = 0x50;
                      },
                      kSizes},
        HostileRecord{"leaves_the_tail",
                      [](auto& r) {
                        r.payload_bytes = 2'000;
                        r.record_bytes = 2'048;
                      },
                      "its outbox ends inside a record"},
        HostileRecord{"number_again", [](auto& r) { r.publish_number = 0; },
                      "its publish numbers do not go up by one"},
        HostileRecord{"number_skips", [](auto& r) { r.publish_number = 9; },
                      "its publish numbers do not go up by one"},
        HostileRecord{"filler_at_start",
                      [](auto& r) {
                        r.kind = OutboxKind::filler;
                        r.record_bytes = 4'096;
                      },
                      "a filler in its outbox does not fill the ring's rest"},
        HostileRecord{"filler_short",
                      [](auto& r) {
                        r.kind = OutboxKind::filler;
                        r.record_bytes = 64;
                      },
                      "a filler in its outbox does not fill the ring's rest"}),
    [](const auto& test) { return std::string(test.param.name); });

TEST_F(OutboxReading, hostile_filler_beyond_the_tail) {
  pass_message(1, 3'000);
  OutboxRecord filler{};
  filler.record_bytes = static_cast<std::uint32_t>(kRing - tail_);
  filler.kind = OutboxKind::filler;
  put(tail_, filler);
  set_tail(tail_ + 32);
  EXPECT_EQ(violation(), "its outbox ends inside a record");
}

TEST_F(OutboxReading, any_bytes_lead_to_an_answer_within_the_ring) {
  std::uint64_t random = 88'172'645'463'325'252ULL;  // xorshift (Marsaglia 2003)
  const auto next = [&] {
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    return random;
  };
  for (int round = 0; round < 20'000; ++round) {
    std::memset(memory_.get(), 0, shm::kOutboxRingOffset + kRing);
    OutboxReader reader(memory_.get(), kRing);
    OutboxRecord head{};
    const std::uint64_t bits = next();
    head.record_bytes = static_cast<std::uint32_t>(next() % 512) * 16;
    head.kind = static_cast<OutboxKind>(bits % 4);
    head.payload_bytes = static_cast<std::uint32_t>((bits >> 8) % 5'000);
    head.topic_bytes = static_cast<std::uint32_t>((bits >> 32) % 300);
    if (bits & 0x10)
      head.record_bytes = record(1, head.payload_bytes, head.topic_bytes).record_bytes;
    head.publish_number = 1;
    put(0, head);
    set_tail(next() % 300 * 16);
    if (reader.peek() != OutboxReader::Peek::message) continue;
    const auto payload = reader.message().payload;
    ASSERT_GE(payload.data(), ring());
    ASSERT_LE(payload.data() + payload.size(), ring() + kRing);
    reader.consume();
    ASSERT_LE(reader.position(), tail_);
  }
}

}  // namespace
}  // namespace fairlead::broker
