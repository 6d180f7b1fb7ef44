#include "cycle.hpp"

#include <chrono>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include <fairlead/guest/guest.hpp>
#include <fairlead/guest/keeper.hpp>
#include <fairlead/shm/error.hpp>

#include "support/numbered_message.hpp"

namespace fairlead::test::churn {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::seconds kPatience{60};
constexpr std::size_t kMostPayloadBytes = 20'000;
constexpr std::uint64_t kMostMessages = 40;

void require(bool held, const std::string& sentence) {
  if (!held) throw std::runtime_error(sentence);
}

template <typename Call>
void expect_refusal(ErrorCode code, const std::string& what, Call call) {
  try {
    call();
  } catch (const Error& error) {
    if (error.code() == code) return;
    throw;
  }
  throw std::runtime_error(what + " was not refused");
}

class Cycle {
 public:
  Cycle(State& state, const CyclePlace& place, std::mt19937_64& random)
      : state_(state),
        place_(place),
        random_(random),
        topic_("churn.c" + std::to_string(place.name)),
        messages_(place.name, kMostPayloadBytes),
        guest_(attach()) {}

  void run() {
    if (one_in(1'000)) refused_attach();
    if (one_in(8)) refused_requests();
    if (one_in(3)) subscribe_to_all();
    const bool checked = !one_in(4);
    if (checked) own_route_.emplace(guest_.subscribe(topic_ + ".*", own_options()));
    if (staged_) guest_.open_gate();
    if (!one_in(5)) publish();
    if (checked) drain_own();
    if (staged_ && one_in(2)) guest_.retire_gate();
    leave();
  }

 private:
  [[nodiscard]] bool one_in(std::uint64_t count) { return random_() % count == 0; }

  // As somebody new each time, on its own or minted.
  guest::Guest attach() {
    guest::AttachOptions options;
    options.timeout = kPatience;
    options.program = "churn";
    if (one_in(3)) {
      const std::string principal = "minted.m" + std::to_string(place_.name);
      options.descriptor = guest::connect_as(place_.socket, principal, kPatience);
    } else {
      options.socket_path = place_.socket;
      options.principal = "agent.a" + std::to_string(place_.name);
    }
    return guest::Guest::attach(std::move(options));
  }

  // Seldom, because the broker writes a line for each.
  void refused_attach() {
    expect_refusal(ErrorCode::denied, "an attach as somebody unknown", [this] {
      guest::AttachOptions options;
      options.socket_path = place_.socket;
      options.principal = kUnknownPrincipal;
      (void)guest::Guest::attach(std::move(options));
    });
  }

  void refused_requests() {
    expect_refusal(ErrorCode::invalid_pattern, "a pattern with an empty segment",
                   [this] { (void)guest_.subscribe("churn..x"); });
    expect_refusal(ErrorCode::denied, "a pattern that the policy does not allow",
                   [this] { (void)guest_.subscribe("other.*"); });
  }

  guest::SubscribeOptions any_options() {
    guest::SubscribeOptions options;
    options.backing =
        place_.process_of_its_own && one_in(2) ? guest::Backing::sealed : guest::Backing::named;
    options.descriptor = one_in(2);
    options.lanes = one_in(2) ? 0 : static_cast<std::uint32_t>(64 << (random_() % 4));
    options.waiting.spin = std::chrono::microseconds(random_() % 20);
    return options;
  }

  // Room for all of it, so that nothing may be missing.
  guest::SubscribeOptions own_options() {
    guest::SubscribeOptions options = any_options();
    options.budget_bytes = 1 << 20;
    if (one_in(2)) options.eviction = shm::EvictionPolicy::reject;
    if (one_in(3)) options.admission = shm::AdmissionKind::all;
    staged_ = options.staged = one_in(4);
    return options;
  }

  // Everybody's messages, mostly too many for its budget, and nobody drains them but now and then.
  void subscribe_to_all() {
    guest::SubscribeOptions options = any_options();
    options.budget_bytes = 4'096 + random_() % 60'000;
    options.eviction =
        one_in(2) ? shm::EvictionPolicy::oldest_head : shm::EvictionPolicy::fair_share;
    all_route_.emplace(guest_.subscribe("churn.*", std::move(options)));
    if (one_in(2)) (void)all_route_->drain();
  }

  void publish() {
    guest::Publisher publisher = guest_.publisher({.ring_bytes = 32'768U << (random_() % 4)});
    published_ = random_() % kMostMessages;
    for (std::uint64_t number = 1; number <= published_; ++number) {
      guest::PublishOptions options;
      options.block_for = kPatience;
      options.wait_for_receipt = one_in(4) ? std::chrono::nanoseconds(kPatience) : 0ns;
      const auto outcome =
          publisher.publish(topic_ + ".x", messages_.make({place_.name, number}), options);
      require(outcome.number == number, "a publish was " + std::string(to_string(outcome.status)));
    }
    require(publisher.flush(kPatience) == guest::FlushOutcome::done, "a flush failed");
    if (all_route_ && one_in(2)) (void)all_route_->drain();
  }

  void drain_own() {
    std::uint64_t expected = 1;
    while (expected <= published_) {
      const auto waited = own_route_->wait(kPatience);
      require(waited == guest::WaitOutcome::ready,
              "waiting for own messages: " + std::string(to_string(waited)));
      guest::Batch batch = one_in(3) ? own_route_->take() : own_route_->drain();
      for (const guest::Message& message : batch.messages()) {
        const auto found = messages_.read(message.payload());
        require(found && found->stream == place_.name && found->number == expected++,
                "own messages do not come back as they were published");
        if (one_in(8)) {
          if (auto kept = own_route_->keep(message)) kept_.push_back(std::move(*kept));
        }
      }
      if (one_in(4)) held_.push_back(std::move(batch));
    }
    state_.messages.fetch_add(published_, std::memory_order_relaxed);
  }

  // In any order, with what is held before or after its route.
  void leave() {
    if (own_route_ && one_in(2)) guest_.unsubscribe(*own_route_);
    if (one_in(2)) kept_.clear();
    if (one_in(2)) own_route_.reset();
    if (one_in(2)) held_.clear();
    if (all_route_ && one_in(2)) guest_.unsubscribe(std::move(*all_route_));
  }

  State& state_;
  const CyclePlace& place_;
  std::mt19937_64& random_;
  std::string topic_;
  NumberedMessages messages_;
  guest::Guest guest_;
  std::optional<guest::Subscription> own_route_;
  std::optional<guest::Subscription> all_route_;
  std::vector<guest::Batch> held_;
  std::vector<guest::Kept> kept_;
  std::uint64_t published_ = 0;
  bool staged_ = false;
};

}  // namespace

void run_cycle(State& state, const CyclePlace& place, std::mt19937_64& random) {
  Cycle(state, place, random).run();
  state.cycles.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace fairlead::test::churn
