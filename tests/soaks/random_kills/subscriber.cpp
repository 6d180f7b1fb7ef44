// A subscriber: checks every message of every stream, byte for byte, and every loss.
#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <fairlead/guest/guest.hpp>
#include <fairlead/shm/error.hpp>

#include "attaching.hpp"
#include "shared_state.hpp"
#include "support/numbered_message.hpp"

namespace fairlead::test::random_kills {
namespace {

using namespace std::chrono_literals;

// What a publisher's outbox held when it was killed is taken soon or never.
constexpr std::uint64_t kRecentLives = 64;

// More than there are while a broker is away.
constexpr std::uint64_t kMostUntoldLooks = 1'000;

// One route, from subscribe to unsubscribe.
class CheckedRoute {
 public:
  CheckedRoute(SharedState& state, const Role& role, guest::Guest& guest, std::mt19937_64& random)
      : state_(state),
        slot_(role.slot),
        guest_(guest),
        random_(random),
        messages_(role.seed, kMostPayloadBytes) {
    if (!resident() && random_() % 4 == 0) only_slot_ = random_() % kPublisherSlots;
    const std::uint64_t newest = state_.newest_life.load();
    const auto before = progress_of_older_lives(newest);
    route_.emplace(guest_.subscribe(only_slot_ ? topic_of_slot(*only_slot_) : "kills.*", choose()));
    first_epoch_ = guest_.welcome().epoch;
    const std::uint64_t newest_after = state_.newest_life.load();
    for (const auto& [life, progress] : before) {
      account_.add_older_stream(life, progress, state_.lives[life].progress());
    }
    for (std::uint64_t life = newest + 1; life <= newest_after; ++life) {
      account_.add_older_stream(life, {}, state_.lives[life].progress());
    }
    account_.set_newest_older_stream(newest_after);
    first_life_ = newest > kRecentLives ? newest - kRecentLives : 0;
    older_ = before;
  }

  /// One look, one drain. False once the route is closed.
  bool serve() {
    if (naps_ && random_() % (resident() ? 8 : 64) == 0)
      std::this_thread::sleep_for(random_() % 8'000 * 1us);
    if (state_.brokers_die) state_.epoch[slot_] = guest_.welcome().epoch;
    const guest::WaitOutcome waited = route_->wait(50ms);
    if (waited == guest::WaitOutcome::poisoned || waited == guest::WaitOutcome::corrupt) {
      throw std::runtime_error("wait: " + std::string(to_string(waited)));
    }
    const guest::Batch batch = route_->drain(1 + random_() % most_);
    account_.take_ended_loss(batch.ended_loss().messages);
    state_.ended_losses += batch.ended_loss().messages;
    for (const guest::Message& message : batch.messages()) take(message);
    require_told();
    switch (batch.outcome()) {
      case guest::DrainOutcome::messages:
      case guest::DrainOutcome::empty:
        return true;
      case guest::DrainOutcome::closed:
        return false;
      default:
        throw std::runtime_error("drain: " + std::string(to_string(batch.outcome())));
    }
  }

  /// Ends the route and checks that nothing is missing.
  void finish() {
    std::vector<std::pair<std::uint64_t, Progress>> before;
    const std::uint64_t newest = state_.newest_life.load();
    for (const auto& [life, progress] : older_) before.emplace_back(life, progress_of(life));
    for (std::uint64_t life = first_life_ + 1; life <= newest; ++life) {
      if (wanted(life) && !older_.contains(life)) before.emplace_back(life, progress_of(life));
    }
    const bool exact = state_.subscribers_end;
    guest_.unsubscribe(*route_);
    while (serve()) {
    }
    // A route that is given up before it is back takes along what waits for it: nothing is sure to
    // be missing but what lies between two messages that came.
    const bool cut_off = state_.brokers_die && !exact && slot_ != kWitness;
    for (const auto& [life, progress] : before) {
      if (exact) {
        const Progress delivered = delivered_of(life);
        account_.close_stream(life, delivered, delivered);
      } else {
        account_.close_stream(life, cut_off ? Progress{} : progress, progress_of(life));
      }
    }
    for (std::uint64_t life = newest + 1; life <= state_.newest_life.load(); ++life) {
      if (wanted(life)) account_.close_stream(life, {}, progress_of(life));
    }
    require(account_.check_closed());
    state_.reported_lost += account_.reported();
    ++state_.routes_checked;
  }

  [[nodiscard]] std::string text() const {
    return " (route " + std::to_string(route_->number()) + " on " + route_->pattern() +
           (sealed_ ? ", sealed" : ", named") + (lossless_ ? ", reject" : "") +
           ", begun in epoch " + std::to_string(first_epoch_) + ", now in " +
           std::to_string(guest_.welcome().epoch) + ", " + std::to_string(account_.received()) +
           " messages)";
  }

  [[nodiscard]] std::string why() const {
    const auto end = route_->end(1s);
    return end ? end->sentence : "without a word";
  }

 private:
  guest::SubscribeOptions choose() {
    guest::SubscribeOptions options;
    const std::uint64_t kind = slot_ == kWitness ? 0 : slot_ == kLossyResident ? 2 : random_() % 4;
    sealed_ = random_() % 2 == 0;
    options.backing = sealed_ ? guest::Backing::sealed : guest::Backing::named;
    options.descriptor = random_() % 4 == 0;
    // Of the routes that publishers wait for, none may stay behind without its guest: the next
    // broker would keep it for the grace time.
    const bool may_block = slot_ == kWitness || !state_.brokers_die;
    if (kind < 2 && may_block) {  // loses nothing
      options.eviction = shm::EvictionPolicy::reject;
      options.budget_bytes = 256 * 1'024;
      lossless_ = true;
    } else {
      options.eviction =
          kind == 2 ? shm::EvictionPolicy::oldest_head : shm::EvictionPolicy::fair_share;
      options.budget_bytes = 98'304 + random_() % 65'536;
      naps_ = true;
      most_ = 4'096;  // a batch that holds much more makes the route refuse (R22)
    }
    if (only_slot_ && random_() % 2 == 0) {
      options.admission = shm::AdmissionKind::exactly;
      options.admitted_principal = principal_of_slot(*only_slot_);
    }
    return options;
  }

  [[nodiscard]] Progress progress_of(std::uint64_t life) const {
    return state_.lives[life].progress();
  }

  // What the witness saw of a stream that has ended. A publisher that is killed while its message
  // goes from route to route takes that along: some have it, and others do not.
  [[nodiscard]] Progress delivered_of(std::uint64_t life) const {
    const std::uint64_t seen = state_.lives[life].delivered.load();
    if (!state_.lives[life].killed) return {seen, seen};
    const Progress told = progress_of(life);
    return {std::max(told.acknowledged, seen - std::min<std::uint64_t>(seen, 1)),
            std::min(told.attempted, seen + 1)};
  }

  [[nodiscard]] bool wanted(std::uint64_t life) const {
    return !only_slot_ || state_.lives[life].slot.load() == *only_slot_;
  }

  [[nodiscard]] std::map<std::uint64_t, Progress> progress_of_older_lives(std::uint64_t newest) {
    std::set<std::uint64_t> lives;
    for (const auto& life : state_.life_of_slot) lives.insert(life.load());
    const std::uint64_t oldest = newest > kRecentLives ? newest - kRecentLives : 0;
    for (std::uint64_t life = oldest + 1; life <= newest; ++life) lives.insert(life);
    std::map<std::uint64_t, Progress> progress;
    for (const std::uint64_t life : lives) {
      if (life != 0 && life <= newest && wanted(life)) progress[life] = progress_of(life);
    }
    return progress;
  }

  void take(const guest::Message& message) {
    const auto found = messages_.read(message.payload());
    if (!found) throw std::runtime_error("a message was not what its publisher wrote");
    if (found->stream == 0 || found->stream > state_.newest_life.load()) {
      throw std::runtime_error("a message of a stream that there never was");
    }
    Life& life = state_.lives[found->stream];
    const std::size_t slot = life.slot.load();
    const bool ours = wanted(found->stream) && message.topic() == topic_of_slot(slot) &&
                      message.principal() == principal_of_slot(slot) &&
                      message.publish_number() == found->number;
    if (!ours) throw std::runtime_error("a message came under a foreign name, topic or number");
    std::uint64_t& newest_sequence = newest_sequences_[std::string(message.principal())];
    if (message.sequence() <= newest_sequence) {
      throw std::runtime_error("messages of one principal came out of order");
    }
    newest_sequence = message.sequence();
    if (lossless_ && message.lost_messages() != 0) {
      throw std::runtime_error("a route that rather refuses lost a message");
    }
    require(account_.take(found->stream, found->number, message.lost_messages(),
                          life.attempted.load(std::memory_order_acquire)));
    if (slot_ == kWitness) life.delivered.store(found->number);
    state_.received.fetch_add(1, std::memory_order_relaxed);
  }

  [[nodiscard]] bool resident() const { return slot_ == kWitness || slot_ == kLossyResident; }

  // What is missing was told, but for a loss that is just being written, or whose writer was killed
  // over that: that one comes with a later look.
  void require_told() {
    const std::string problem = account_.check();
    untold_looks_ = problem.empty() ? 0 : untold_looks_ + 1;
    if (untold_looks_ > kMostUntoldLooks) throw std::runtime_error(problem);
  }

  static void require(const std::string& problem) {
    if (!problem.empty()) throw std::runtime_error(problem);
  }

  SharedState& state_;
  std::size_t slot_;
  guest::Guest& guest_;
  std::mt19937_64& random_;
  NumberedMessages messages_;
  StreamAccount account_;
  std::optional<std::size_t> only_slot_;
  std::map<std::uint64_t, Progress> older_;
  std::map<std::string, std::uint64_t, std::less<>> newest_sequences_;  // by principal
  std::uint64_t first_life_ = 0;
  std::uint64_t first_epoch_ = 0;
  std::uint64_t untold_looks_ = 0;
  bool sealed_ = false;
  bool lossless_ = false;
  bool naps_ = false;
  std::uint64_t most_ = 65'536;  // bytes per drain
  std::optional<guest::Subscription> route_;
};

}  // namespace

void subscribe_until_told(SharedState& state, const Role& role) {
  std::mt19937_64 random(role.choices);
  auto& phase = state.phase[role.slot];
  phase = Phase::attaching;
  guest::Guest guest = attach_patiently(role.socket, "agent.reader" + std::to_string(role.slot));
  // A resident's route lives to the end of the run.
  const bool resident = role.slot < kPublisherSlots + kResidents;
  const std::atomic<bool>& end = role.slot == kWitness ? state.witness_ends : state.subscribers_end;
  while (!end) {
    phase = Phase::asking;
    CheckedRoute route(state, role, guest, random);
    phase = Phase::streaming;
    const std::uint64_t rounds = resident ? UINT64_MAX : 10 + random() % 400;
    try {
      for (std::uint64_t round = 0; round < rounds && !end; ++round) {
        if (!route.serve()) {
          throw std::runtime_error("the broker ended the route: " + route.why());
        }
      }
      phase = Phase::leaving;
      route.finish();
    } catch (const std::exception& error) {
      throw std::runtime_error(error.what() + route.text());
    }
  }
}

}  // namespace fairlead::test::random_kills
