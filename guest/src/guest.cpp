#include <fairlead/guest/guest.hpp>

#include <mutex>
#include <utility>

#include <fairlead/shm/error.hpp>
#include <fairlead/shm/topic.hpp>

#include "attach.hpp"
#include "checked_principal.hpp"
#include "link.hpp"
#include "outbox.hpp"
#include "resumable_route.hpp"

namespace fairlead::guest {
namespace {

namespace control = shm::control;

control::Subscribe to_packet(std::string_view pattern, const SubscribeOptions& options) {
  const auto problem = shm::check_pattern(pattern);
  if (problem != shm::TopicProblem::none) {
    throw Error(ErrorCode::invalid_pattern, std::string(shm::sentence_of(problem)));
  }
  const std::string_view admitted = checked_principal(options.admitted_principal);
  control::Subscribe packet{};
  packet.pattern.assign(pattern);
  packet.admission = options.admission;
  packet.eviction = options.eviction;
  packet.budget_bytes = options.budget_bytes;
  packet.cap_bytes = options.cap_bytes;
  packet.lane_capacity = options.lanes;
  packet.backing = options.backing;
  packet.staged = options.staged ? 1 : 0;
  packet.wants_descriptor = options.descriptor ? 1 : 0;
  packet.admitted_principal.assign(admitted);
  return packet;
}

/// Does without a wake-up socket that only the library wants, where the quota has none left.
Link::Asked<control::Subscribed> ask_to_subscribe(Link& link, control::Subscribe& question,
                                                  WakeUpUse use) {
  for (;;) {
    try {
      return link.ask<control::Subscribed>(Kind::subscribe, question, Kind::subscribed, 3);
    } catch (const Error& error) {
      const bool can_do_without = use == WakeUpUse::watched && question.wants_descriptor != 0;
      if (error.code() != ErrorCode::quota_exceeded || !can_do_without) throw;
      question.wants_descriptor = 0;
    }
  }
}

}  // namespace

class Guest::State {
 public:
  explicit State(std::shared_ptr<Link> with) : link(std::move(with)) {}

  const std::shared_ptr<Link> link;
  std::mutex outbox_mutex;
  std::shared_ptr<Outbox> outbox;
};

Guest::Guest(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
Guest::Guest(Guest&&) noexcept = default;
Guest& Guest::operator=(Guest&&) noexcept = default;
Guest::~Guest() = default;

Guest Guest::attach(AttachOptions options) {
  return Guest(std::make_unique<State>(guest::attach(std::move(options))));
}

Welcome Guest::welcome() const { return state_->link->welcome(); }

bool Guest::connected() const noexcept { return !state_->link->connection()->look_whether_gone(); }

Presence Guest::presence() noexcept {
  switch (state_->link->try_to_come_back()) {
    case Link::State::attached:
      return Presence::attached;
    case Link::State::away:
      return Presence::away;
    case Link::State::lost:
      break;
  }
  return Presence::lost;
}

Subscription Guest::subscribe(
    std::string_view pattern,
    SubscribeOptions options) {  // NOLINT(performance-unnecessary-value-param)
  const auto& link = state_->link;
  auto question = to_packet(pattern, options);
  const WakeUpUse use =
      !options.descriptor && link->wants_watch() ? WakeUpUse::watched : WakeUpUse::polled;
  if (use == WakeUpUse::watched) question.wants_descriptor = 1;
  auto [connection, answer] = ask_to_subscribe(*link, question, use);
  connection->acknowledge(answer.reply.header.request);
  try {
    auto parts = to_parts(answer.reply, std::move(answer.descriptors));
    auto route = std::make_shared<ResumableRoute>(std::move(parts), connection, link, use);
    link->add(route);
    return {std::move(route), options.waiting};
  } catch (...) {
    control::Unsubscribe packet{};
    packet.subscription = answer.reply.subscription;
    packet.unmapped = 1;
    connection->tell(Kind::unsubscribe, packet);
    throw;
  }
}

void Guest::unsubscribe(const Subscription& subscription) {
  control::Unsubscribe packet{};
  packet.subscription = subscription.number();
  subscription.route_->mark_ended();
  const auto before = state_->link->connection();
  try {
    (void)state_->link->ask<control::Plain>(Kind::unsubscribe, packet, Kind::done);
  } catch (const Error& error) {
    // The next broker was told so already, when we came back to it.
    if (error.code() != ErrorCode::not_found || state_->link->connection() == before) throw;
  }
}

void Guest::unsubscribe(Subscription&& subscription) {
  const Subscription dropped = std::move(subscription);
  unsubscribe(dropped);
}

void Guest::open_gate() {
  control::SetGate packet{};
  packet.open = 1;
  (void)state_->link->ask<control::Plain>(Kind::set_gate, packet, Kind::done);
}

void Guest::retire_gate() {
  (void)state_->link->ask<control::Plain>(Kind::set_gate, control::SetGate{}, Kind::done);
}

Publisher Guest::publisher(PublisherOptions options) {
  const std::lock_guard guard(state_->outbox_mutex);
  if (!state_->outbox || state_->outbox->given_up()) {
    control::OpenOutbox packet{};
    packet.ring_bytes = options.ring_bytes;
    auto [connection, answer] =
        state_->link->ask<control::OutboxOpened>(Kind::open_outbox, packet, Kind::outbox_opened, 2);
    connection->acknowledge(answer.reply.header.request);
    state_->outbox = std::make_shared<Outbox>(connection, answer.reply,
                                              std::move(answer.descriptors), state_->link);
    state_->link->set_outbox(state_->outbox);
  }
  return Publisher(state_->outbox);
}

}  // namespace fairlead::guest
