// Coming back to the next broker (R34).
#include <poll.h>

#include <algorithm>

#include "link.hpp"
#include "outbox.hpp"
#include "resumable_route.hpp"

namespace fairlead::guest {
namespace {

namespace control = shm::control;
using Clock = std::chrono::steady_clock;

// For the connection alone: whoever listens accepts at once, or is busy.
constexpr std::chrono::nanoseconds kConnectTime = std::chrono::seconds(1);
// While another thread is at it, nobody knows when it is done.
constexpr std::chrono::nanoseconds kShortestRest = std::chrono::milliseconds(1);
// A broker that takes us back and hangs up is tried less and less often, unless it was there so
// long.
constexpr std::chrono::nanoseconds kLastingLife = std::chrono::milliseconds(500);

/// Asking again would bring the same answer.
bool is_final(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::denied:
    case ErrorCode::wrong_version:
    case ErrorCode::wrong_layout:
    case ErrorCode::invalid_argument:
    case ErrorCode::invalid_principal:
      return true;
    default:
      return false;
  }
}

}  // namespace

control::Welcome Link::introduce_patiently() {
  try {
    return introduce(*connection_);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::disconnected || connection_->said_farewell()) throw;
  }
  const SteadyTime deadline = deadline_after(std::min(timeout_, resume_for_));
  for (;;) {
    try {
      if (auto socket = way_back_(kConnectTime)) {
        connection_ = std::make_shared<Connection>(std::move(socket), timeout_);
        return introduce(*connection_);
      }
    } catch (const Error& error) {
      if (is_final(error.code())) throw;
    }
    put_off(Clock::now() + back_off_.next());
    if (next_attempt() >= deadline) {
      throw Error(ErrorCode::disconnected,
                  "the broker ended before this program introduced itself, and has not come back");
    }
    (void)rest(deadline);
  }
}

void Link::put_off(SteadyTime until) noexcept {
  next_attempt_.store(until.time_since_epoch().count(), std::memory_order_relaxed);
}

SteadyTime Link::next_attempt() const noexcept {
  return SteadyTime(SteadyTime::duration(next_attempt_.load(std::memory_order_relaxed)));
}

void Link::lose(std::string_view sentence) noexcept {
  try {
    const std::lock_guard guard(mutex_);
    lost_sentence_ = sentence;
  } catch (...) {
    // No memory for words.
  }
  lost_.store(true, std::memory_order_release);
}

Link::State Link::try_to_come_back() noexcept {
  if (lost_.load(std::memory_order_acquire)) return State::lost;
  if (!can_come_back()) return connection()->look_whether_gone() ? State::lost : State::attached;
  const std::unique_lock turn(turn_, std::try_to_lock);
  return turn ? attempt() : State::away;
}

Link::State Link::come_back(SteadyTime deadline) noexcept {
  for (;;) {
    const State state = try_to_come_back();
    if (state != State::away || Clock::now() >= deadline) return state;
    (void)rest(deadline);
  }
}

Link::Rest Link::rest(SteadyTime deadline) const noexcept {
  const SteadyTime now = Clock::now();
  if (deadline <= now) return Rest::over;  // which may be longer ago than a duration holds
  const SteadyTime until = std::min(deadline, std::max(next_attempt(), now + kShortestRest));
  return ::poll(nullptr, 0, milliseconds_until(until)) == 0 ? Rest::over : Rest::interrupted;
}

/// The caller has the turn.
Link::State Link::attempt() noexcept {
  const auto old = connection();
  if (!away_since_) {
    if (!old->look_whether_gone()) return State::attached;
    old->conclude();
    if (old->said_farewell()) {
      lose("the broker has ended");
      return State::lost;
    }
    away_since_ = Clock::now();
    rouse_all();
    if (*away_since_ - back_since_ >= kLastingLife) {
      back_off_.reset();
      put_off(*away_since_);
    }
  }
  if (Clock::now() < next_attempt()) return State::away;
  try {
    resume();
    away_since_.reset();
    back_since_ = Clock::now();
    put_off(back_since_ + back_off_.next());
    return State::attached;
  } catch (const Error& error) {
    if (is_final(error.code())) {
      lose("the broker that came back refuses us: " + std::string(error.what()));
      return State::lost;
    }
  } catch (...) {
    // No memory now; maybe there is some with the next attempt.
  }
  const SteadyTime now = Clock::now();
  if (now - *away_since_ >= resume_for_) {
    lose("the broker is gone and has not come back");
    return State::lost;
  }
  put_off(now + back_off_.next());
  return State::away;
}

// Whoever found it first tells those who sleep on a doorbell.
void Link::rouse_all() noexcept {
  try {
    decltype(routes_) routes;
    {
      const std::lock_guard guard(mutex_);
      routes = routes_;
    }
    for (const auto& [subscription, known] : routes) {
      if (const auto route = known.lock()) route->rouse();
    }
  } catch (...) {
    // No memory: they look by themselves.
  }
}

void Link::resume() {
  shm::UniqueFd socket;
  try {
    socket = way_back_(kConnectTime);
  } catch (...) {
    // Whatever it is, it may be different when the broker is there.
  }
  if (!socket) throw Error(ErrorCode::broker_gone, "the broker is not there");
  const auto fresh = std::make_shared<Connection>(std::move(socket), timeout_);
  const control::Welcome welcome = introduce(*fresh);
  if (welcome.resumed != 0) {
    resume_all(fresh);
  } else {
    end_all("the broker came back without what this guest had");
  }
  const std::lock_guard guard(mutex_);
  connection_ = fresh;
  welcome_.epoch = welcome.epoch;
  welcome_.guest = welcome.guest;
  welcome_.boundary = welcome.boundary;
  welcome_.principal = welcome.principal.view();
  welcome_.boundary_reason = welcome.boundary_reason.view();
}

void Link::resume_all(const std::shared_ptr<Connection>& fresh) {
  decltype(routes_) routes;
  std::shared_ptr<Outbox> outbox;
  {
    const std::lock_guard guard(mutex_);
    routes = routes_;
    outbox = outbox_.lock();
  }
  for (const auto& [subscription, known] : routes) {
    if (const auto route = known.lock()) {
      route->resume(fresh);
      continue;
    }
    control::Unsubscribe packet{};
    packet.subscription = subscription;
    packet.unmapped = 1;
    fresh->tell(Kind::unsubscribe, packet);
    const std::lock_guard guard(mutex_);
    const auto found = routes_.find(subscription);
    if (found != routes_.end() && found->second.expired()) routes_.erase(found);
  }
  if (outbox) outbox->resume(fresh);
}

void Link::end_all(std::string_view sentence) {
  decltype(routes_) routes;
  std::shared_ptr<Outbox> outbox;
  {
    const std::lock_guard guard(mutex_);
    routes.swap(routes_);
    outbox = outbox_.lock();
    outbox_.reset();
  }
  for (const auto& [subscription, known] : routes) {
    if (const auto route = known.lock()) route->end_with(sentence);
  }
  if (outbox) outbox->lose();
}

}  // namespace fairlead::guest
