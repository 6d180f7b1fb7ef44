#include <fairlead/guest/guest.hpp>

#include <mutex>
#include <utility>

#include <fairlead/shm/error.hpp>
#include <fairlead/shm/topic.hpp>

#include "attach.hpp"
#include "checked_principal.hpp"
#include "connection.hpp"
#include "mapped_route.hpp"
#include "outbox.hpp"

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

SharedRoute to_parts(const control::Subscribed& reply, std::vector<shm::UniqueFd> descriptors) {
  if (descriptors.size() != (reply.has_descriptor != 0 ? 3U : 2U)) {
    throw Error(ErrorCode::protocol, "the broker sent " + std::to_string(descriptors.size()) +
                                         " descriptors with a subscription");
  }
  SharedRoute parts;
  parts.route = std::move(descriptors[0]);
  parts.cursors = std::move(descriptors[1]);
  if (reply.has_descriptor != 0) parts.wake_up = std::move(descriptors[2]);
  parts.route_segment_bytes = reply.route_segment_bytes;
  parts.cursor_segment_bytes = reply.cursor_segment_bytes;
  parts.subscription = reply.subscription;
  parts.lane_capacity = reply.lane_capacity;
  parts.hold_slots = reply.hold_slots;
  parts.sealed = reply.sealed != 0;
  return parts;
}

}  // namespace

class Guest::State {
 public:
  explicit State(Attachment attachment)
      : connection(std::move(attachment.connection)), welcome(std::move(attachment.welcome)) {}

  const std::shared_ptr<Connection> connection;
  const Welcome welcome;
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

const Welcome& Guest::welcome() const noexcept { return state_->welcome; }

bool Guest::connected() const noexcept { return !state_->connection->look_whether_gone(); }

Subscription Guest::subscribe(
    std::string_view pattern,
    SubscribeOptions options) {  // NOLINT(performance-unnecessary-value-param)
  const auto& connection = state_->connection;
  auto answer = connection->ask<control::Subscribed>(Kind::subscribe, to_packet(pattern, options),
                                                     Kind::subscribed, 3);
  connection->acknowledge(answer.reply.header.request);
  try {
    auto parts = to_parts(answer.reply, std::move(answer.descriptors));
    return {std::make_shared<MappedRoute>(std::move(parts), connection), options.waiting};
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
  (void)state_->connection->ask<control::Plain>(Kind::unsubscribe, packet, Kind::done);
}

void Guest::unsubscribe(Subscription&& subscription) {
  const Subscription dropped = std::move(subscription);
  unsubscribe(dropped);
}

void Guest::open_gate() {
  control::SetGate packet{};
  packet.open = 1;
  (void)state_->connection->ask<control::Plain>(Kind::set_gate, packet, Kind::done);
}

void Guest::retire_gate() {
  (void)state_->connection->ask<control::Plain>(Kind::set_gate, control::SetGate{}, Kind::done);
}

Publisher Guest::publisher(PublisherOptions options) {
  const std::lock_guard guard(state_->outbox_mutex);
  if (!state_->outbox) {
    control::OpenOutbox packet{};
    packet.ring_bytes = options.ring_bytes;
    auto answer = state_->connection->ask<control::OutboxOpened>(Kind::open_outbox, packet,
                                                                 Kind::outbox_opened, 2);
    state_->connection->acknowledge(answer.reply.header.request);
    state_->outbox =
        std::make_shared<Outbox>(state_->connection, answer.reply, std::move(answer.descriptors));
  }
  return Publisher(state_->outbox);
}

}  // namespace fairlead::guest
