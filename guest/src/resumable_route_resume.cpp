// From one life of the broker to the next.
#include <algorithm>
#include <map>
#include <utility>

#include "ended_losses.hpp"
#include "refusal_kinds.hpp"
#include "resumable_route.hpp"

namespace fairlead::guest {
namespace {

namespace control = shm::control;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::nanoseconds kCatchUpEvery = std::chrono::milliseconds(100);

void drop_at_broker(Connection& connection, std::uint64_t subscription) noexcept {
  control::Unsubscribe packet{};
  packet.subscription = subscription;
  packet.unmapped = 1;
  connection.tell(Kind::unsubscribe, packet);
}

}  // namespace

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

// ---- asking the next broker --------------------------------------------------------------------

void ResumableRoute::resume(const std::shared_ptr<Connection>& connection) {
  {
    const std::lock_guard guard(mutex_);
    if (mappings_.back()->connection() == connection || end_) return;
    if (ended_) return drop_at_broker(*connection, subscription_);
    next_catch_up_ = Clock::now() + kCatchUpEvery;
  }
  control::ResumeRoute question{};
  question.subscription = subscription_;
  question.wants_descriptor = polled_ || watched_ ? 1 : 0;
  try {
    auto answer =
        connection->ask<control::Subscribed>(Kind::resume_route, question, Kind::subscribed, 3);
    auto next = std::make_shared<MappedRoute>(to_parts(answer.reply, std::move(answer.descriptors)),
                                              connection, pool_, wake_up_use_);
    {
      const std::lock_guard guard(mutex_);
      settle(answer.reply.claimed_epoch);
      tell_pushes(*connection);
      mappings_.push_back(std::move(next));
      rest_polling(Clock::now());  // whoever polls shall take the next steps
    }
    // Now it is filled, with what was told in mind.
    connection->acknowledge(answer.reply.header.request);
  } catch (const Error& error) {
    if (connection->gone() || is_of_connection(error.code())) throw;
    if (watched_ && error.code() == ErrorCode::quota_exceeded) {
      watched_ = false;  // it can do without
      return resume(connection);
    }
    if (is_passing(error.code())) return;
    drop_at_broker(*connection, subscription_);
    end_with(error.what());
  }
}

void ResumableRoute::end_with(std::string_view sentence) {
  const std::lock_guard guard(mutex_);
  end_ = RouteEnd{shm::RouteState::closed, shm::Refusal::route_closed, std::string(sentence)};
  rest_polling(Clock::now());
}

// Of those whose content counts, as far as the broker cannot read them itself. The first mapping is
// kept until the next one counts, so nothing that matters is ever forgotten.
void ResumableRoute::tell_pushes(Connection& connection) const {
  std::vector<shm::PushMark> found;
  for (const auto& each : mappings_) {
    if (each->sealed()) each->add_pushes(found);
  }
  std::map<std::uint64_t, std::uint64_t> newest;
  for (const auto& push : found) {
    auto& number = newest[push.outbox];
    number = std::max(number, push.number);
  }
  control::PushedBefore packet{};
  packet.subscription = subscription_;
  const auto tell = [&] {
    if (packet.count > 0) connection.tell(Kind::pushed_before, packet);
    packet.count = 0;
  };
  for (const auto& [outbox, number] : newest) {
    packet.pushes[packet.count++] = {outbox, number};
    if (packet.count == control::kMaximumPushMarks) tell();
  }
  tell();
}

// Those that a dead broker left half-filled are of no use, unless it had just not said so.
void ResumableRoute::settle(std::uint64_t claimed_epoch) noexcept {
  for (auto each = mappings_.begin() + 1; each != mappings_.end();) {
    if (!(*each)->filled() && (*each)->epoch() > claimed_epoch) {
      rest_polling(Clock::now());  // nobody watches what goes
      each = mappings_.erase(each);
      continue;
    }
    (*each)->mark_complete();
    ++each;
  }
}

// ---- from one mapping to the next --------------------------------------------------------------

ResumableRoute::Step ResumableRoute::step(EndedLoss* told) noexcept {
  if (!link_->can_come_back()) return Step::lost;  // a forked child
  const Link::State state = link_->try_to_come_back();
  const auto present = link_->connection();
  if (state == Link::State::attached && is_late(*present)) link_->catch_up(*this);
  try {
    return advance(state, *present, told);
  } catch (...) {
    return Step::stay;  // no memory for it now
  }
}

/// It was subscribed on the last connection while that one was being replaced, or was put off.
bool ResumableRoute::is_late(const Connection& present) const noexcept {
  const std::lock_guard guard(mutex_);
  return !end_ && !ended_ && mappings_.back()->connection().get() != &present &&
         Clock::now() >= next_catch_up_;
}

ResumableRoute::Step ResumableRoute::advance(Link::State state, const Connection& present,
                                             EndedLoss* told) {
  const std::lock_guard guard(mutex_);
  MappedRoute& first = *mappings_.front();
  if (state == Link::State::away) {
    if (ended_) return Step::ended;
    rest_polling(std::max(link_->next_attempt(), Clock::now() + std::chrono::milliseconds(1)));
    return Step::stay;
  }
  const bool attached = state == Link::State::attached;
  if (attached && first.connection().get() == &present) {
    (void)watch(first);  // what it cannot do now is done by a later drain
    return Step::stay;
  }
  if (!first.drained_to_end()) return Step::again;
  if (!loss_known_) pending_loss_ = first.final_loss();
  loss_known_ = true;
  if (told == nullptr && pending_loss_.messages > 0) return Step::again;
  if (told != nullptr) *told = std::exchange(pending_loss_, {});
  const bool over = end_ || ended_ || !attached;
  if (mappings_.size() > 1) {
    MappedRoute& second = *mappings_[1];
    if (polled_ && !second.filled()) second.arm();
    if (second.filled()) {
      make_second_first();
      return Step::moved;
    }
    if (!over) {
      (void)watch(second);
      return Step::filling;
    }
  }
  if (!over) {
    rest_polling(next_catch_up_);
    return Step::stay;
  }
  rest_polling(Clock::now());
  return end_ || ended_ ? Step::ended : Step::lost;
}

void ResumableRoute::make_second_first() {
  std::erase_if(earlier_, [](const auto& each) { return each.expired(); });
  earlier_.reserve(earlier_.size() + 1);
  retired_.reserve(retired_.size() + 1);
  earlier_.emplace_back(mappings_.front());
  (void)watch(*mappings_[1]);
  first_.store(mappings_[1].get(), std::memory_order_seq_cst);  // sync: first-mapping
  generation_ = pool_->next_generation();
  retired_.push_back(std::move(mappings_.front()));
  mappings_.pop_front();
  loss_known_ = false;
}

void ResumableRoute::free_retired() noexcept {
  std::vector<std::shared_ptr<MappedRoute>> free;  // destroyed after the lock
  const std::lock_guard guard(mutex_);
  if (!retired_.empty() && pool_->left_before(generation_)) free.swap(retired_);
}

bool ResumableRoute::watch(const MappedRoute& mapping) noexcept {
  return !polled_ || polled_->watch(mapping.wake_up(), mapping.connection()->descriptor());
}

void ResumableRoute::rest_polling(SteadyTime until) noexcept {
  if (polled_) polled_->rest_until(until);
}

}  // namespace fairlead::guest
