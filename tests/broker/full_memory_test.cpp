// A full /dev/shm is told in words, and does no harm beyond that. In a process and mount namespace
// of its own, with a small tmpfs.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support/child_process.hpp"
#include "support/test_broker.hpp"

namespace fairlead::test {
namespace {

constexpr std::size_t kRoom = 4 * 1024 * 1024;
constexpr const char* kFiller = "/dev/shm/filler";

void fill_shared_memory() {
  std::ofstream filler(kFiller, std::ios::binary);
  const std::string page(4'096, '.');
  while (filler.write(page.data(), static_cast<std::streamsize>(page.size())).flush()) {
  }
}

// Without what is random in a segment's name.
std::string without_name(const std::string& sentence) {
  const std::size_t begin = sentence.find("/dev/shm/fairlead.");
  const std::size_t end = sentence.find(':', begin);
  if (begin == std::string::npos || end == std::string::npos) return sentence;
  return sentence.substr(0, begin) + "NAME" + sentence.substr(end);
}

class FullMemory : public testing::Test {
 protected:
  // `body` adds what is wrong to its argument.
  static void in_a_small_file_system(const std::function<void(std::string&)>& body) {
    ChildProcess child([&]() -> std::string {
      const std::string skipped = mount_own_shared_memory(kRoom);
      if (!skipped.empty()) return skipped;
      std::string wrong;
      body(wrong);
      return HasFailure() ? wrong + "a check failed, see above" : wrong;
    });
    const std::string said = child.result();
    if (said.starts_with(kSkipped)) GTEST_SKIP() << said;
    EXPECT_EQ(said, "");
  }
};

TEST_F(FullMemory, a_subscription_is_refused_and_the_next_one_succeeds) {
  in_a_small_file_system([](std::string&) {
    TestBroker broker;
    const auto guest = broker.guest("alice");
    fill_shared_memory();
    guest->send(guest->subscribe_packet("t"));
    EXPECT_EQ(without_name(guest->refusal(ErrorCode::out_of_memory)),
              "no room for 16384 bytes of segment NAME: /dev/shm is full; `df /dev/shm` shows it");
    EXPECT_EQ(broker.segments().size(), 1U);
    std::filesystem::remove(kFiller);
    EXPECT_NE(guest->subscribe("t"), nullptr);
  });
}

TEST_F(FullMemory, an_outbox_is_refused_and_the_next_one_succeeds) {
  in_a_small_file_system([](std::string&) {
    TestBroker broker;
    const auto guest = broker.guest("alice");
    fill_shared_memory();
    guest->send(guest->packet<shm::control::OpenOutbox>(shm::control::Kind::open_outbox));
    const std::string refusal = without_name(guest->refusal(ErrorCode::out_of_memory));
    EXPECT_TRUE(refusal.ends_with("NAME: /dev/shm is full; `df /dev/shm` shows it")) << refusal;
    std::filesystem::remove(kFiller);
    EXPECT_NE(guest->open_outbox(), nullptr);
  });
}

TEST_F(FullMemory, a_publish_is_refused_by_the_route_that_cannot_grow_and_evicts_nothing) {
  in_a_small_file_system([](std::string&) {
    TestBroker broker;
    const auto guest = broker.guest("alice");
    const auto route = guest->subscribe("t");
    const auto outbox = guest->open_outbox();
    fill_shared_memory();
    const shm::Receipt& receipt = guest->publish(*outbox, "t", "no room");
    EXPECT_EQ(receipt.first_refusal.load(), shm::Refusal::no_memory);
    EXPECT_EQ(receipt.refused.load(), 1U);
    EXPECT_EQ(receipt.evicted.load(), 0U);
    std::filesystem::remove(kFiller);
    EXPECT_EQ(guest->publish(*outbox, "t", "room").taken.load(), 1U);
    EXPECT_EQ(route->payloads(), std::vector<std::string>({"room"}));
  });
}

TEST_F(FullMemory, a_broker_that_finds_no_room_does_not_begin) {
  in_a_small_file_system([](std::string& wrong) {
    fill_shared_memory();
    broker::BrokerOptions options;
    options.name = unique_broker_name();
    try {
      broker::Broker never(options);
      wrong += "began; ";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::out_of_memory);
      const std::string sentence = without_name(error.what());
      EXPECT_TRUE(sentence.ends_with("NAME: /dev/shm is full; `df /dev/shm` shows it")) << sentence;
    }
    std::filesystem::remove(kFiller);
    EXPECT_TRUE(std::filesystem::is_empty("/dev/shm"));
  });
}

}  // namespace
}  // namespace fairlead::test
