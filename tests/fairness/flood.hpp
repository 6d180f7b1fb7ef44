// One principal that publishes much more than 99 others, and what a guest gets to see of each.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "shared_route.hpp"

namespace fairlead::test {

struct FloodOptions {
  shm::EvictionPolicy policy = shm::EvictionPolicy::fair_share;
  std::uint64_t budget = shm::kDefaultBudgetBytes;
  std::uint32_t times = 100;  // messages of the flooder for one of each quiet principal
};

class Flood {
 public:
  static constexpr std::uint32_t kQuiet = 99;
  static constexpr std::uint32_t kFlooder = kQuiet;  // the quiet ones come before it
  static constexpr std::uint64_t kMostCost = 200;    // bytes of a message

  explicit Flood(const FloodOptions& options)
      : times_(options.times), route_(identity(options), shm::Backing::named), seen_(kQuiet + 1) {}

  /// One message of each quiet principal, the flooder's spread between them; `guest()` after each.
  template <class Guest>
  void tick(Guest&& guest) {
    std::uint32_t flooded = 0;
    for (std::uint32_t quiet = 0; quiet < kQuiet; ++quiet) {
      publish(quiet);
      guest();
      for (; flooded < times_ * (quiet + 1) / kQuiet; ++flooded) {
        publish(kFlooder);
        guest();
      }
    }
    expect_sum();
  }
  /// True when there was a message.
  bool take() {
    const std::uint32_t round = route_.rotation().round;
    const bool some = route_.drain(0, 1, [&](const shm::MessageView& view) {
      if (route_.rotation().round != round) served_in_round_ = 0;
      most_in_round_ = std::max(most_in_round_, ++served_in_round_);
      see(view);
    });
    ended_ += route_.ended().messages;
    return some;
  }
  void take_all() {
    while (take()) {
    }
  }
  /// A batch that is out until give_back().
  void take_and_keep(std::size_t most) {
    shm::RouteReader::EndedLoss ended;
    ASSERT_EQ(route_.reader().drain(64 * 1024, most, kept_, ticket_, ended),
              shm::RouteReader::Outcome::ok);
    ASSERT_EQ(kept_.size(), most);
    for (const shm::MessageView& view : kept_) see(view);
    ended_ += ended.messages;
  }
  void give_back() {
    route_.reader().release(ticket_, kept_.size());
    kept_.clear();
  }
  /// Whether after one more tick each quiet principal still has its fair share at most (R21).
  [[nodiscard]] bool quiet_stay_within_share() {
    const std::uint64_t share = route_.route().identity().budget_bytes / (kQuiet + 1);
    for (std::uint32_t quiet = 0; quiet < kQuiet; ++quiet) {
      const Seen& seen = seen_[quiet];
      if (seen.queued_bytes + cost(quiet, seen.published) > share) return false;
    }
    return true;
  }
  [[nodiscard]] SharedRoute& route() noexcept { return route_; }

  // What became of them, once everything was taken.
  [[nodiscard]] std::uint64_t quiet_lost() const {
    std::uint64_t lost = ended_;
    for (std::uint32_t quiet = 0; quiet < kQuiet; ++quiet)
      lost += seen_[quiet].published - seen_[quiet].delivered;
    return lost;
  }
  /// R29, R30: what is missing of the flooder's was told, message by message, and counted.
  void expect_flooders_loss_told() {
    const Seen& flooder = seen_[kFlooder];
    EXPECT_EQ(flooder.delivered + flooder.lost, flooder.published);
    EXPECT_EQ(flooder.lost, route_.counters().evicted.load());
    EXPECT_EQ(flooder.lost_bytes, route_.counters().evicted_bytes.load());
    EXPECT_EQ(ended_, 0U);
    route_.route().maintain();
    expect_sum();
    EXPECT_EQ(route_.counters().queued.load(), 0U);
  }
  [[nodiscard]] std::uint64_t flooders_lost() const { return seen_[kFlooder].lost; }
  /// R23 to R27 as the quiet see them: from publish to delivery.
  void expect_quiet_wait_two_rounds_at_most() {
    ASSERT_GT(waited_rounds_.size(), 2'000U);
    EXPECT_LE(percentile_99(waited_rounds_), 2U);
    EXPECT_LE(percentile_99(waited_messages_), 2 * most_in_round_);
    // A round: what the quiet have, and one quantum of the flooder's.
    EXPECT_LT(most_in_round_, 1'000U);
  }

 private:
  struct Waiting {
    std::uint64_t served;
    std::uint32_t round;
  };
  struct Seen {
    std::uint64_t published = 0;
    std::uint64_t delivered = 0;
    std::uint64_t lost = 0;
    std::uint64_t lost_bytes = 0;
    std::uint64_t queued_bytes = 0;  // published and not delivered, lost or not
    std::uint64_t next = 0;          // number of the message behind the newest delivered one
    std::vector<Waiting> waiting;    // by number
  };

  static shm::RouteIdentity identity(const FloodOptions& options) {
    shm::RouteIdentity identity = identity_of("*", options.budget, options.budget * 4, 128);
    identity.eviction = options.policy;
    return identity;
  }
  static std::uint64_t cost(std::uint32_t principal, std::uint64_t number) noexcept {
    return 1 + (number * 2'654'435'761U + principal * 40'503U) % kMostCost;
  }
  void publish(std::uint32_t principal) {
    Seen& seen = seen_[principal];
    seen.waiting.push_back({served_, route_.rotation().round});
    const std::uint64_t number = seen.published++;
    seen.queued_bytes += cost(principal, number);
    ASSERT_EQ(route_.publish(principal, cost(principal, number), number).taken, 1U);
  }
  void see(const shm::MessageView& view) {
    ++served_;
    const std::uint32_t principal = principal_of(view);
    Seen& seen = seen_[principal];
    const std::uint64_t number = view.publish_number();
    ASSERT_EQ(view.cost(), cost(principal, number));
    // R29: exactly what is missing between this one and the one before it.
    std::uint64_t missing_bytes = 0;
    for (std::uint64_t each = seen.next; each < number; ++each)
      missing_bytes += cost(principal, each);
    ASSERT_EQ(view.lost_messages(), number - seen.next);
    ASSERT_EQ(view.lost_bytes(), missing_bytes);
    seen.lost += view.lost_messages();
    seen.lost_bytes += view.lost_bytes();
    seen.next = number + 1;
    ++seen.delivered;
    seen.queued_bytes -= view.cost();
    if (principal == kFlooder) return;
    const Waiting& since = seen.waiting[number];
    waited_messages_.push_back(served_ - 1 - since.served);
    waited_rounds_.push_back(route_.rotation().round - since.round);
  }
  void expect_sum() {
    const shm::RouteCounters& counters = route_.counters();
    ASSERT_EQ(counters.published.load(),
              counters.delivered.load() + counters.queued.load() + counters.evicted.load());
    ASSERT_EQ(counters.published_bytes.load(), counters.delivered_bytes.load() +
                                                   counters.queued_bytes.load() +
                                                   counters.evicted_bytes.load());
  }
  template <class Number>
  static Number percentile_99(std::vector<Number>& values) {
    const auto place = values.begin() + static_cast<std::ptrdiff_t>(values.size() * 99 / 100);
    std::nth_element(values.begin(), place, values.end());
    return *place;
  }

  std::uint32_t times_;
  SharedRoute route_;
  std::vector<Seen> seen_;
  std::vector<std::uint64_t> waited_messages_;
  std::vector<std::uint32_t> waited_rounds_;
  std::uint64_t served_ = 0;
  std::uint64_t served_in_round_ = 0;
  std::uint64_t most_in_round_ = 0;
  std::uint64_t ended_ = 0;
  std::vector<shm::MessageView> kept_;
  shm::RouteReader::Ticket ticket_ = 0;
};

}  // namespace fairlead::test
