// What a guest may still map after it has left stays charged to its principal while it lives.
#include "attach/lingering.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "support/child_process.hpp"
#include "support/test_broker.hpp"

namespace fairlead::test {
namespace {

using broker::EventLoop;
using broker::Lingering;
using broker::QuotaAccount;
using broker::QuotaCharge;

class LingeringCharges : public testing::Test {
 protected:
  void SetUp() override {
    const shm::UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
    if (!process) GTEST_SKIP() << "this kernel has no pidfd_open (Linux 5.3)";
  }
  std::vector<QuotaCharge> charges(std::uint64_t bytes) {
    std::vector<QuotaCharge> made;
    made.push_back(std::get<QuotaCharge>(account_->charge({.budget_bytes = bytes})));
    return made;
  }
  [[nodiscard]] std::uint64_t held() const { return account_->used().budget_bytes; }
  // The tags of processes that have died, at least one.
  std::size_t wait_for_deaths() {
    std::array<std::uint64_t, 8> tags{};
    const std::size_t ready = loop_.wait(tags, 10'000'000'000);
    for (std::size_t each = 0; each < ready; ++each) {
      EXPECT_TRUE(Lingering::owns(tags[each]));
      lingering_->end(tags[each]);
    }
    return ready;
  }

  EventLoop loop_;
  std::mutex mutex_;
  std::shared_ptr<QuotaAccount> account_ =
      QuotaAccount::make_root("alice", {.budget_bytes = 1'000}, {});
  std::unique_ptr<Lingering> lingering_ = std::make_unique<Lingering>(loop_, mutex_);
};

TEST_F(LingeringCharges, R32_stay_until_the_process_is_dead) {
  Signal never;
  ChildProcess first([&]() -> std::string { return never.wait() ? "" : ""; });
  ChildProcess second([&]() -> std::string { return never.wait() ? "" : ""; });
  lingering_->keep(broker::open_process(first.pid()), charges(100));
  lingering_->keep(broker::open_process(first.pid()), charges(200));
  lingering_->keep(broker::open_process(second.pid()), charges(400));
  EXPECT_EQ(held(), 700U);
  std::array<std::uint64_t, 8> none{};
  EXPECT_EQ(loop_.wait(none, 0), 0U);
  first.kill();
  while (held() != 400U) ASSERT_GT(wait_for_deaths(), 0U);
  second.kill();
  EXPECT_EQ(wait_for_deaths(), 1U);
  EXPECT_EQ(held(), 0U);
  EXPECT_EQ(loop_.wait(none, 0), 0U);
}

TEST_F(LingeringCharges, R32_are_given_back_at_once_where_no_process_can_be_watched) {
  lingering_->keep(broker::open_process(0), charges(100));
  lingering_->keep(broker::open_process(::getpid()), charges(100));
  lingering_->keep(broker::open_process(0x7fff'fff0), charges(100));
  lingering_->keep({}, charges(100));
  EXPECT_EQ(held(), 0U);
  lingering_->end(Lingering::kFirstTag);  // nobody's
}

TEST_F(LingeringCharges, R32_are_given_back_with_the_broker) {
  Signal never;
  ChildProcess child([&]() -> std::string { return never.wait() ? "" : ""; });
  lingering_->keep(broker::open_process(child.pid()), charges(100));
  EXPECT_EQ(held(), 100U);
  lingering_.reset();
  EXPECT_EQ(held(), 0U);
}

// ---- in a broker -------------------------------------------------------------------------------

// One sealed segment fits into the quota, two do not.
std::string one_segment_policy() {
  return R"(
[[principal]]
name = "alice"
uid = "self"
subscribe = ["*"]
admission = "all"
budget_bytes = 65536
[principal.quota]
total_budget_bytes = 300000
)";
}

shm::control::Subscribe sealed_packet(RawGuest& guest) {
  auto packet = guest.subscribe_packet("t");
  packet.backing = shm::control::BackingWish::sealed;
  return packet;
}

// Attaches, leaves, and lives on with what it has mapped.
std::string hold_a_mapping(const std::string& path, Signal& ready, Signal& gone) {
  if (!ready.wait()) return "lost";
  RawGuest guest(path);
  guest.hello();
  const auto route = guest.subscribe(sealed_packet(guest));
  guest.leave();
  gone.send();
  Signal never;
  return never.wait() ? "" : "never ended";
}

TEST_F(LingeringCharges, R32_of_a_guest_that_left_are_given_back_when_it_dies) {
  Signal ready;
  Signal gone;
  TestBroker broker({.policy = one_segment_policy(), .listening = true});
  ChildProcess child([&] { return hold_a_mapping(broker.socket_path(), ready, gone); });
  ready.send();
  ASSERT_TRUE(gone.wait()) << child.result();
  ASSERT_TRUE(broker.wait_until([](const auto& now) { return now.guests.empty(); }));
  RawGuest next(broker.socket_path());
  next.hello();
  next.send(sealed_packet(next));
  EXPECT_EQ(next.refusal(ErrorCode::quota_exceeded),
            "278528 bytes of route budgets more would exceed the quota of 'alice': 278528 of "
            "300000 are in use (R32)");
  child.kill();
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  for (bool given = false; !given;) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    const auto packet = sealed_packet(next);
    next.send(packet);
    given = next.receive().kind() == shm::control::Kind::subscribed;
    if (given) next.acknowledge(packet.header.request);
  }
}

}  // namespace
}  // namespace fairlead::test
