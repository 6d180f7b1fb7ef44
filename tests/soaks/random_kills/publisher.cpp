// A publisher: writes down what it is about to publish, and what was acknowledged.
#include <unistd.h>

#include <chrono>
#include <random>
#include <stdexcept>
#include <thread>

#include <fairlead/guest/guest.hpp>

#include "attaching.hpp"
#include "shared_state.hpp"
#include "support/numbered_message.hpp"

namespace fairlead::test::random_kills {
namespace {

using namespace std::chrono_literals;

// Longer than anything takes that goes well, also with every core busy.
constexpr std::chrono::seconds kPatience{60};

class StreamPublisher {
 public:
  StreamPublisher(SharedState& state, const Role& role)
      : state_(state),
        role_(role),
        life_(state.lives[role.life]),
        random_(role.choices),
        messages_(role.seed, kMostPayloadBytes),
        topic_(topic_of_slot(role.slot)),
        guest_(attach_patiently(role.socket, principal_of_slot(role.slot))),
        publisher_(make_publisher()) {}

  void run() {
    state_.phase[role_.slot] = Phase::streaming;
    while (!state_.publishers_end) {
      const std::uint64_t burst = 1 + random_() % 32;
      for (std::uint64_t index = 0; index < burst; ++index) publish_next();
      confirm(burst);
      if (state_.brokers_die) state_.epoch[role_.slot] = guest_.welcome().epoch;
      // Leaves the processor to others, so that what gets killed is not only what waits for it.
      std::this_thread::sleep_for(random_() % 1'500 * 1us);
    }
    state_.phase[role_.slot] = Phase::leaving;
  }

 private:
  guest::Publisher make_publisher() {
    state_.phase[role_.slot] = Phase::asking;
    return guest_.publisher({.ring_bytes = (64U * 1'024) << (random_() % 4)});
  }

  void publish_next() {
    ++number_;
    life_.attempted.store(number_, std::memory_order_release);
    guest::PublishOptions options;
    options.block_for = kPatience;
    const bool waits = random_() % 4 == 0;
    options.wait_for_receipt = waits ? std::chrono::nanoseconds(kPatience) : 0ns;
    const auto outcome = publisher_.publish(topic_, messages_.make({role_.life, number_}), options);
    const bool fine =
        waits ? acknowledged(outcome) : outcome.status == guest::PublishStatus::pending;
    if (!fine || outcome.number != number_) fail("publish", outcome);
  }

  // By a broker that is dead now, it may be: then nobody knows more.
  [[nodiscard]] bool acknowledged(const guest::PublishOutcome& outcome) const {
    if (outcome.status == guest::PublishStatus::forgotten) return state_.brokers_die;
    return outcome.status == guest::PublishStatus::acknowledged && outcome.refused == 0 &&
           outcome.taken == outcome.matched;
  }

  // All receipts of the burst: nothing may have been refused.
  void confirm(std::uint64_t burst) {
    if (publisher_.flush(kPatience) != guest::FlushOutcome::done) {
      fail("flush", publisher_.outcome(number_));
    }
    for (std::uint64_t number = number_ - burst + 1; number <= number_; ++number) {
      const auto outcome = publisher_.outcome(number);
      if (!acknowledged(outcome)) fail("receipt", outcome);
    }
    life_.acknowledged.store(number_, std::memory_order_release);
    state_.acknowledged.fetch_add(burst, std::memory_order_relaxed);
  }

  [[noreturn]] void fail(const std::string& where, const guest::PublishOutcome& outcome) {
    throw std::runtime_error(
        where + " of message " + std::to_string(number_) + " of stream " +
        std::to_string(role_.life) + ": " + std::string(to_string(outcome.status)) + ", number " +
        std::to_string(outcome.number) + ", matched " + std::to_string(outcome.matched) +
        ", taken " + std::to_string(outcome.taken) + ", refused " +
        std::to_string(outcome.refused) + " (" + std::string(guest::to_string(outcome.reason)) +
        ")");
  }

  SharedState& state_;
  const Role& role_;
  Life& life_;
  std::mt19937_64 random_;
  NumberedMessages messages_;
  std::string topic_;
  guest::Guest guest_;
  guest::Publisher publisher_;
  std::uint64_t number_ = 0;
};

}  // namespace

void publish_until_told(SharedState& state, const Role& role) {
  state.phase[role.slot] = Phase::attaching;
  StreamPublisher(state, role).run();
}

}  // namespace fairlead::test::random_kills
