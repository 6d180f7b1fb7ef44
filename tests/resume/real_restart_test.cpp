// R34 with a broker that is killed, and the next one of its name.
#include <poll.h>
#include <signal.h>

#include <atomic>
#include <future>
#include <map>
#include <thread>

#include "guest/guest_fixture.hpp"
#include "resume/restarting_daemon.hpp"

namespace fairlead::guest {
namespace {

using test::RestartingDaemon;
using Texts = std::vector<std::string>;

constexpr WaitSettings kShortWaits{.longest_sleep = milliseconds(20)};

class RealRestart : public testing::TestWithParam<Backing> {
 protected:
  Guest attach(std::string principal = {}, std::chrono::nanoseconds resume_for = seconds(30)) {
    AttachOptions options;
    options.socket_path = daemon_.socket_path();
    options.principal = std::move(principal);
    options.resume_for = resume_for;
    return Guest::attach(std::move(options));
  }
  SubscribeOptions options(bool descriptor = false) const {
    SubscribeOptions options;
    options.backing = GetParam();
    options.descriptor = descriptor;
    options.budget_bytes = 8 << 20;
    options.waiting = kShortWaits;
    return options;
  }
  static std::string payload_of(const std::string& stream, int number) {
    return stream + ":" + std::to_string(number) + ":" +
           std::string(static_cast<std::size_t>(number * 37 % 1'500),
                       static_cast<char>('a' + number % 26));
  }

  RestartingDaemon daemon_;
};

/// Takes streams of numbered payloads and says what is wrong with them.
class Streams {
 public:
  void take(const Batch& batch) {
    for (const Message& message : batch) {
      const std::string text(message.text());
      const auto first = text.find(':');
      const std::string stream = text.substr(0, first);
      int& next = next_[stream];
      const int number = std::stoi(text.substr(first + 1));
      if (number != next)
        wrong_ += stream + " " + std::to_string(next) + " is " + std::to_string(number) + "; ";
      const std::string rest(static_cast<std::size_t>(number * 37 % 1'500),
                             static_cast<char>('a' + number % 26));
      if (text.substr(text.rfind(':') + 1) != rest)
        wrong_ += "bytes of " + stream + std::to_string(number) + "; ";
      if (message.lost_messages() != 0) wrong_ += "lost before " + text.substr(0, 12) + "; ";
      next = number + 1;
      ++total_;
    }
    if (batch.ended_loss().messages != 0) wrong_ += "an ended loss; ";
  }
  [[nodiscard]] int total() const noexcept { return total_; }
  [[nodiscard]] std::string wrong() const { return wrong_.substr(0, 500); }

 private:
  std::map<std::string, int> next_;
  std::string wrong_;
  int total_ = 0;
};

TEST_P(RealRestart, R34_streams_are_byte_exact_through_kills) {
  constexpr int kStreams = 3;
  constexpr int kMessages = 3'000;
  constexpr int kKills = 6;
  Guest reader = attach();
  Subscription one = reader.subscribe("s.*", options());
  Subscription other = reader.subscribe("s.*", options(true));
  std::vector<Guest> guests;  // before the first kill: an attach is not tried again
  for (int stream = 0; stream < kStreams; ++stream)
    guests.push_back(attach("alice" + std::to_string(stream)));
  std::vector<std::thread> threads;
  for (int stream = 0; stream < kStreams; ++stream) {
    threads.emplace_back([&, stream] {
      Guest& guest = guests[static_cast<std::size_t>(stream)];
      Publisher publisher = guest.publisher({.ring_bytes = 64 * 1024});
      const std::string name = "s" + std::to_string(stream);
      for (int i = 0; i < kMessages; ++i) {
        const auto outcome = publisher.publish(
            "s." + name, payload_of(name, i),
            {.block_for = seconds(60), .wait_for_receipt = milliseconds(i % 50 == 0 ? 30'000 : 0)});
        ASSERT_TRUE(outcome.status == PublishStatus::pending ||
                    outcome.status == PublishStatus::acknowledged)
            << to_string(outcome.status) << " at " << i;
        if (outcome.status == PublishStatus::acknowledged) {
          EXPECT_EQ(outcome.matched, 2U);
        }
      }
      EXPECT_EQ(publisher.flush(seconds(60)), FlushOutcome::done);
    });
  }
  std::atomic<int> taken{0};
  std::thread killer([&] {
    for (int kill = 1; kill <= kKills; ++kill) {
      while (taken < kill * kStreams * kMessages / (kKills + 1)) std::this_thread::yield();
      daemon_.kill_and_restart();
    }
  });
  Streams of_one;
  Streams of_other;
  const auto deadline = std::chrono::steady_clock::now() + seconds(120);
  while (of_one.total() < kStreams * kMessages || of_other.total() < kStreams * kMessages) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline)
        << of_one.total() << " " << of_other.total() << " " << of_one.wrong() << of_other.wrong();
    const Batch batch = one.drain();
    of_one.take(batch);
    const Batch second = other.drain();
    of_other.take(second);
    taken = of_one.total();
    ASSERT_TRUE(batch.outcome() == DrainOutcome::messages || batch.outcome() == DrainOutcome::empty)
        << to_string(batch.outcome()) << " " << (one.end() ? one.end()->sentence : "");
    if (batch.empty() && second.empty()) {
      pollfd entry{other.descriptor(), POLLIN, 0};
      ::poll(&entry, 1, 20);
    }
  }
  killer.join();
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(of_one.wrong(), "");
  EXPECT_EQ(of_other.wrong(), "");
  EXPECT_EQ(one.drain().outcome(), DrainOutcome::empty);
  EXPECT_EQ(other.drain().outcome(), DrainOutcome::empty);
}

TEST_P(RealRestart, R34_what_was_queued_is_there_before_what_comes_while_the_guest_is_away) {
  Guest reader = attach();
  Subscription route = reader.subscribe("a", options());
  Guest writer = attach("alice");
  Publisher publisher = writer.publisher();
  ASSERT_TRUE(publisher.publish("a", "1").complete());
  for (int life = 0; life < 4; ++life) {
    daemon_.kill_and_restart();
    // The writer comes back at once; the reader has not looked yet.
    const auto outcome = publisher.publish("a", std::to_string(life + 2));
    EXPECT_TRUE(outcome.complete()) << to_string(outcome.status);
    EXPECT_EQ(outcome.matched, 1U);
  }
  Texts found;
  while (found.size() < 5 && route.wait(seconds(20)) == WaitOutcome::ready) {
    for (auto& text : texts(route.drain())) found.push_back(text);
  }
  EXPECT_EQ(found, (Texts{"1", "2", "3", "4", "5"}));
}

TEST_P(RealRestart, R13_a_gate_stays_as_it_was) {
  Guest reader = attach();
  SubscribeOptions staged = options();
  staged.staged = true;
  Subscription route = reader.subscribe("a", staged);
  Guest writer = attach("alice");
  Publisher publisher = writer.publisher();
  daemon_.kill_and_restart();
  EXPECT_EQ(publisher.publish("a", "early").matched, 0U);
  reader.open_gate();
  EXPECT_EQ(publisher.publish("a", "1").matched, 1U);
  daemon_.kill_and_restart();
  EXPECT_EQ(publisher.publish("a", "2").matched, 1U);
  Texts found;
  while (found.size() < 2 && route.wait(seconds(20)) == WaitOutcome::ready) {
    for (auto& text : texts(route.drain())) found.push_back(text);
  }
  EXPECT_EQ(found, (Texts{"1", "2"}));
}

TEST_P(RealRestart, R34_a_clean_stop_is_a_farewell) {
  Guest reader = attach();
  Subscription route = reader.subscribe("a", options());
  Publisher publisher = reader.publisher();
  daemon_.stop();
  EXPECT_EQ(route.wait(seconds(20)), WaitOutcome::closed);
  EXPECT_EQ(publisher.publish("a", "x").status, PublishStatus::disconnected);
  expect_error(ErrorCode::disconnected, [&] { (void)reader.subscribe("a"); });
}

TEST_P(RealRestart, a_guest_that_does_not_come_back_is_a_new_one) {
  Guest reader = attach({}, seconds(0));
  Subscription route = reader.subscribe("a", options());
  daemon_.kill_and_restart();
  EXPECT_EQ(route.wait(seconds(20)), WaitOutcome::disconnected);
}

INSTANTIATE_TEST_SUITE_P(Guest, RealRestart, testing::Values(Backing::named, Backing::sealed),
                         [](const auto& instance) {
                           return instance.param == Backing::named ? "named" : "sealed";
                         });

}  // namespace
}  // namespace fairlead::guest
