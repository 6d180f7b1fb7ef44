#include "siege.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include "besieged_broker.hpp"
#include "honest.hpp"
#include "intruder.hpp"
#include "log_check.hpp"
#include "support/child_process.hpp"

namespace fairlead::hostile_processes {

namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

// An honest guest's receipt and delivery, at worst and nearly always: on processors that others
// want, too, and with a sanitizer. Something that is stuck is stuck for longer.
constexpr std::uint64_t kWorstMilliseconds = FAIRLEAD_SANITIZED ? 10'000 : 5'000;
constexpr std::uint64_t kNearlyAlwaysMicroseconds = FAIRLEAD_SANITIZED ? 1U << 21 : 1U << 19;
constexpr std::uint64_t kMemoryMayGrowKilobytes = 16 * 1'024;

void demand(bool holds, const std::string& sentence) {
  if (!holds) throw std::runtime_error(sentence);
}

std::string text_of(const Latencies& latencies) {
  std::string text = std::to_string(latencies.count());
  for (const std::uint64_t percent : {50U, 90U, 99U})
    text += ", " + std::to_string(percent) + " % within " +
            std::to_string(latencies.percentile_microseconds(percent)) + " us";
  return text + ", all within " + std::to_string(latencies.worst_milliseconds()) + " ms";
}

class Siege {
 public:
  explicit Siege(const SiegeOptions& options) : options_(options) {}

  void run() {
    demand(broker_.ready(), "the broker does not get ready: " + broker_.log());
    const Holdings before = broker_.holdings();
    start();
    last();
    end_guests();
    expect_as_before(before);
    end_broker();
  }
  SiegeResult result();

 private:
  void start();
  void last();
  void end_guests();
  void expect_as_before(const Holdings& before);
  void end_broker();
  void look() {
    demand(!page_->failed, page_->failure);
    demand(broker_.lives(), "the broker has ended:\n" + broker_.log());
  }
  void await(const std::function<bool()>& holds, const std::function<std::string()>& sentence);
  void expect_no_starvation() const;
  [[nodiscard]] std::string line() const;
  template <class Body>
  std::unique_ptr<test::ChildProcess> fork(Body&& body) {
    return std::make_unique<test::ChildProcess>([this, body] {
      try {
        body();
      } catch (const std::exception& error) {
        page_->fail(error.what());
      }
      return std::string();
    });
  }

  const SiegeOptions& options_;
  SharedPage page_;
  BesiegedBroker broker_;
  std::vector<std::unique_ptr<test::ChildProcess>> subscribers_;
  std::vector<std::unique_ptr<test::ChildProcess>> publishers_;
  std::vector<std::unique_ptr<test::ChildProcess>> intruders_;
  std::uint64_t settled_kilobytes_ = 0;
  std::string ejections_;
};

void Siege::start() {
  const std::string socket = broker_.socket_path();
  for (std::size_t index = 0; index < kSubscribers; ++index) {
    test::Signal subscribed;
    subscribers_.push_back(fork([this, socket, index, &subscribed] {
      subscribe_honestly(socket, index, *page_, [&] { subscribed.send(); });
    }));
    demand(subscribed.wait(), "an honest guest cannot subscribe: " + std::string(page_->failure));
  }
  for (std::size_t index = 0; index < kPublishers; ++index)
    publishers_.push_back(fork([this, socket, index] { publish_honestly(socket, index, *page_); }));
  for (std::size_t slot = 0; slot < kIntruders; ++slot)
    intruders_.push_back(
        fork([this, socket, slot] { keep_intruding(socket, slot, options_.seed, *page_); }));
}

void Siege::last() {
  const auto begun = Clock::now();
  const auto end = begun + std::chrono::seconds(options_.seconds);
  // Memory is compared from when all of it has been in use for a while.
  const auto settled = begun + std::min<Clock::duration>((end - begun) / 3, 60s);
  std::uint64_t published = 0;
  auto next_look = begun + 10s;
  for (auto now = begun; now < end; now = Clock::now()) {
    std::this_thread::sleep_for(50ms);  // for how long, is what this is about
    look();
    if (now < settled || settled_kilobytes_ == 0)
      settled_kilobytes_ = broker_.holdings().anonymous_kilobytes;
    if (options_.goes_on && !options_.goes_on(line())) break;
    if (now < next_look) continue;
    next_look = now + 10s;
    demand(broker_.check_honest_sums() == kSubscribers, "an honest route is missing");
    const std::uint64_t so_far = page_->publishers[0].published + page_->publishers[1].published;
    demand(so_far > published, "no honest message within 10 s");
    published = so_far;
  }
}

void Siege::await(const std::function<bool()>& holds,
                  const std::function<std::string()>& sentence) {
  const auto deadline = Clock::now() + 30s;
  while (!holds()) {
    look();
    if (Clock::now() >= deadline) throw std::runtime_error(sentence());
    std::this_thread::sleep_for(1ms);  // its state is not ours to be told of
  }
}

void Siege::end_guests() {
  page_->stop_intruders = true;
  for (auto& each : intruders_) demand(each->result().empty(), "an intruder's parent hangs");
  look();
  page_->stop_publishers = true;
  for (auto& each : publishers_) demand(each->result().empty(), "an honest publisher hangs");
  for (std::size_t publisher = 0; publisher < kPublishers; ++publisher) {
    const std::uint64_t newest = page_->publishers[publisher].published;
    for (std::size_t subscriber = 0; subscriber < kSubscribers; ++subscriber) {
      await([&] { return has_seen(*page_, subscriber, publisher, newest); },
            [] { return "an honest subscriber never got the last message acknowledged"; });
    }
  }
  demand(broker_.check_honest_sums() == kSubscribers, "an honest route is missing");
  page_->stop_subscribers = true;
  for (auto& each : subscribers_) demand(each->result().empty(), "an honest subscriber hangs");
  look();
  expect_no_starvation();
}

void Siege::expect_no_starvation() const {
  const auto expect = [](const Latencies& latencies, const char* what) {
    const std::string text = std::string(what) + " took " +
                             std::to_string(latencies.worst_milliseconds()) +
                             " ms at worst, in 99 % less than " +
                             std::to_string(latencies.percentile_microseconds(99)) + " us";
    demand(latencies.count() > 0, std::string(what) + " never came");
    demand(latencies.worst_milliseconds() <= kWorstMilliseconds &&
               latencies.percentile_microseconds(99) <= kNearlyAlwaysMicroseconds,
           text);
  };
  for (const auto& each : page_->publishers) expect(each.receipts, "an honest receipt");
  for (const auto& each : page_->subscribers) expect(each.deliveries, "an honest delivery");
}

void Siege::expect_as_before(const Holdings& before) {
  await(
      [&] {
        const Holdings now = broker_.holdings();
        return now.descriptors <= before.descriptors && now.segments == before.segments;
      },
      [&] { return "before it had" + before.names + ", now" + broker_.holdings().names; });
  const std::uint64_t now = broker_.holdings().anonymous_kilobytes;
  demand(now <= settled_kilobytes_ + kMemoryMayGrowKilobytes,
         "the broker's memory grew from " + std::to_string(settled_kilobytes_) + " to " +
             std::to_string(now) + " kB");
}

void Siege::end_broker() {
  const int code = broker_.end();
  const std::string log = broker_.log();
  demand(code == 0, "the broker ended with " + std::to_string(code) + ":\n" +
                        log.substr(log.size() - std::min<std::size_t>(log.size(), 8'000)));
  demand(broker_.segments_left() == 0, "segments are left");
  const LogCheck said(log);
  demand(said.has_closing_words, "the log has no closing words");
  // Who was thrown out is counted, and named with a reason.
  demand(said.violations + said.unread + said.late >= page_->ejections,
         "more were thrown out than the broker counted");
  std::uint64_t poisoned = 0;
  for (const auto& each : page_->intruders) poisoned += each.poisoned;
  demand(said.poisoned >= poisoned, "more routes were poisoned than the broker counted");
  std::uint64_t unnamed = 0;
  const std::uint64_t known = std::min<std::uint64_t>(page_->ejections, Page::kRemembered);
  for (std::uint64_t index = 0; index < known; ++index)
    unnamed += said.disconnected.count(page_->ejected_guests[index]) == 0 ? 1 : 0;
  demand(unnamed <= said.dropped, std::to_string(unnamed) +
                                      " were thrown out without a line, and " +
                                      std::to_string(said.dropped) + " lines were dropped");
  ejections_ = "\n  " + std::to_string(said.violations) + " violations, " +
               std::to_string(said.unread) + " did not read, " + std::to_string(said.late) +
               " were late, " + std::to_string(said.poisoned) + " routes poisoned";
  for (const auto& [reason, count] : said.reasons)
    ejections_ += "\n  " + std::to_string(count) + " x it " + reason;
}

std::string Siege::line() const {
  std::uint64_t lives = 0;
  std::uint64_t refused = 0;
  std::uint64_t actions = 0;
  std::uint64_t poisoned = 0;
  std::uint64_t forbidden = 0;
  for (const auto& each : page_->intruders) {
    lives += each.lives;
    refused += each.refused;
    actions += each.actions;
    poisoned += each.poisoned;
    forbidden += each.forbidden;
  }
  std::uint64_t delivered = 0;
  std::uint64_t worst = 0;
  std::uint64_t usual = 0;
  for (const auto& each : page_->subscribers) {
    delivered += each.delivered;
    worst = std::max(worst, each.deliveries.worst_milliseconds());
    usual = std::max(usual, each.deliveries.percentile_microseconds(99));
  }
  for (const auto& each : page_->publishers) {
    worst = std::max(worst, each.receipts.worst_milliseconds());
    usual = std::max(usual, each.receipts.percentile_microseconds(99));
  }
  return std::to_string(lives) + " intruders (" + std::to_string(refused) + " not let in, " +
         std::to_string(page_->ejections) + " thrown out), " + std::to_string(actions) +
         " actions, " + std::to_string(poisoned) + " routes poisoned, " +
         std::to_string(forbidden) + " forbidden attempts; " + std::to_string(delivered) +
         " honest messages checked, 99 % within " + std::to_string(usual) + " us, all within " +
         std::to_string(worst) + " ms";
}

SiegeResult Siege::result() {
  SiegeResult result;
  std::string streams;
  for (const auto& each : page_->publishers) streams += "\n  receipts: " + text_of(each.receipts);
  for (const auto& each : page_->subscribers)
    streams += "\n  deliveries: " + text_of(each.deliveries);
  result.summary = line() + streams + ejections_;
  result.ejected = page_->ejections;
  for (const auto& each : page_->intruders) {
    result.lives += each.lives;
    result.poisoned += each.poisoned;
    result.forbidden += each.forbidden;
  }
  for (const auto& each : page_->subscribers) {
    result.delivered += each.delivered;
    result.of_intruders += each.of_intruders;
  }
  return result;
}

}  // namespace

SiegeResult besiege(const SiegeOptions& options) {
  Siege siege(options);
  std::string failure;
  try {
    siege.run();
  } catch (const std::exception& error) {
    failure = std::string(error.what()) + ", seed " + std::to_string(options.seed);
  }
  SiegeResult result = siege.result();
  result.failure = failure;
  return result;
}

}  // namespace fairlead::hostile_processes
