// Waiting for messages: the doorbell's sleeping half (doorbell_condition.hpp), and a look at the
// broker's end of the connection whenever there is nothing else to do.
#include <poll.h>

#include <algorithm>
#include <array>
#include <climits>

#include <fairlead/shm/doorbell_condition.hpp>

#include "deadline.hpp"
#include "mapped_route.hpp"

namespace fairlead::guest {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::nanoseconds kShortestSleep = std::chrono::milliseconds(1);
// A broker that was killed rings nobody: the first look at its end of the connection comes soon,
// later ones at ever longer intervals, so that who waits long costs nothing.
constexpr std::chrono::nanoseconds kFirstSleep = std::chrono::milliseconds(50);

std::chrono::nanoseconds longest_sleep(const WaitSettings& settings) noexcept {
  return std::max(settings.longest_sleep, kShortestSleep);
}

}  // namespace

std::optional<WaitOutcome> MappedRoute::look(Clock::time_point deadline) noexcept {
  shm::DrainMutex& mutex = reader_.mutex();
  switch (mutex.lock_until(deadline)) {
    case shm::LockOutcome::busy:
      return WaitOutcome::timeout;
    case shm::LockOutcome::failed:
      return WaitOutcome::corrupt;
    case shm::LockOutcome::acquired:
    case shm::LockOutcome::needs_repair:  // counts as ready: the next drain repairs
      break;
  }
  std::optional<WaitOutcome> found;
  if (reader_.ready()) {
    if (messages_may_be_left()) {
      found = WaitOutcome::ready;
    } else if (reader_.state() != shm::RouteState::filling) {
      found = ended_outcome();
    }
  }
  mutex.unlock();
  return found;
}

// Of an open route ready() is all there is to know; one that has ended is ready for ever, and so is
// one whose broker died the moment that it was filled.
bool MappedRoute::messages_may_be_left() const noexcept {
  if (reader_.state() == shm::RouteState::open) return true;
  const auto& route = *reinterpret_cast<const shm::RouteHeader*>(route_.data());
  const auto& cursors = *reinterpret_cast<const shm::CursorHeader*>(cursors_.data());
  return cursors.mutex.needs_repair() || cursors.rotation.active > 0 ||
         route.activations.load(std::memory_order_acquire) != cursors.activations_seen ||
         reader_.has_ended_loss();
}

WaitOutcome MappedRoute::ended_outcome() const noexcept {
  switch (reader_.state()) {
    case shm::RouteState::open:
    case shm::RouteState::filling:
      return WaitOutcome::ready;
    case shm::RouteState::closed:
      return WaitOutcome::closed;
    case shm::RouteState::poisoned:
      return WaitOutcome::poisoned;
    case shm::RouteState::none:
      break;
  }
  return WaitOutcome::corrupt;
}

bool MappedRoute::broker_gone() noexcept {
  if (connection_) {
    if (connection_->look_whether_gone()) return true;
  } else if (liveness_) {
    pollfd entry{liveness_.get(), 0, 0};
    if (::poll(&entry, 1, 0) > 0) gone_.store(true, std::memory_order_release);
  }
  return gone_.load(std::memory_order_acquire);
}

WaitOutcome MappedRoute::wait(Clock::time_point deadline, const WaitSettings& settings) noexcept {
  shm::DoorbellWaiter waiter(reader_.doorbell(), reader_.wait_count(), settings.spin);
  bool rang = false;
  std::chrono::nanoseconds sleep = kFirstSleep;
  for (;;) {
    if (const auto found = look(deadline)) return *found;
    if (!rang) reader_.free_slots_of_dead_workers();
    if (!rang && broker_gone()) {
      // Once more: it may have published before it went.
      return look(deadline).value_or(WaitOutcome::disconnected);
    }
    const bool watching = sleep > kFirstSleep && may_watch();
    if (watching) sleep = longest_sleep(settings);
    const Clock::time_point until =
        std::min(deadline, deadline_after(std::min(sleep, longest_sleep(settings))));
    switch (watching ? watch(waiter, until) : waiter.sleep_until_roused(until)) {
      case shm::DoorbellOutcome::interrupted:
        return WaitOutcome::interrupted;
      case shm::DoorbellOutcome::rang:
        rang = true;
        break;
      case shm::DoorbellOutcome::timed_out:
        if (until == deadline) return WaitOutcome::timeout;
        sleep = std::min(sleep * 2, longest_sleep(settings));
        [[fallthrough]];
      case shm::DoorbellOutcome::roused:
        rang = false;
        break;
    }
  }
}

// A futex cannot be waited for together with a socket. Who waits long leaves the doorbell, and
// sleeps on the wake-up socket and the connection's hang-up: that costs the broker a system call
// more per wake-up, and a dead broker is noticed at once. One thread is enough: it rouses the rest.
bool MappedRoute::may_watch() noexcept {
  return watched_ && connection_ && home_.is_here() &&
         !watching_.exchange(true, std::memory_order_acquire);
}

shm::DoorbellOutcome MappedRoute::watch(shm::DoorbellWaiter& waiter,
                                        Clock::time_point until) noexcept {
  arm();
  shm::DoorbellOutcome outcome = shm::DoorbellOutcome::rang;
  // The same hand-shake as with the wait count: what comes from here on sends a byte.
  if (!waiter.rang()) {
    std::array<pollfd, 2> entries{{{wake_up_.get(), POLLIN, 0}, {connection_->descriptor(), 0, 0}}};
    const int ready = ::poll(entries.data(), entries.size(), milliseconds_until(until));
    if (ready < 0) outcome = shm::DoorbellOutcome::interrupted;
    if (ready == 0) outcome = shm::DoorbellOutcome::timed_out;
    if (ready > 0 && entries[0].revents != POLLIN) outcome = shm::DoorbellOutcome::roused;
  }
  waiter.observe();
  watching_.store(false, std::memory_order_release);
  return outcome;
}

void MappedRoute::rouse() const noexcept { (void)shm::futex_wake(reader_.doorbell(), INT_MAX); }

// ---- when one broker follows another -----------------------------------------------------------

WaitOutcome MappedRoute::wait_until_filled(Clock::time_point deadline,
                                           const WaitSettings& settings) noexcept {
  shm::DoorbellWaiter waiter(reader_.doorbell(), reader_.wait_count(), settings.spin);
  std::chrono::nanoseconds sleep = kFirstSleep;
  for (;;) {
    if (filled()) return WaitOutcome::ready;
    if (broker_gone()) return WaitOutcome::disconnected;
    sleep = std::min(sleep, longest_sleep(settings));
    const Clock::time_point until = std::min(deadline, deadline_after(sleep));
    const auto slept = waiter.sleep_until_roused(until);
    if (slept == shm::DoorbellOutcome::interrupted) return WaitOutcome::interrupted;
    if (slept != shm::DoorbellOutcome::timed_out) continue;
    if (until == deadline) return WaitOutcome::timeout;
    sleep *= 2;
  }
}

// A dead broker fills no lane any more: once all are joined, an empty rotation is the end.
bool MappedRoute::drained_to_end() noexcept {
  if (!swept_) reader_.join_all();
  swept_ = true;
  shm::DrainMutex& mutex = reader_.mutex();
  const auto locked = mutex.lock_reporting();
  if (locked == shm::LockOutcome::failed || locked == shm::LockOutcome::busy) return true;
  const auto& cursors = *reinterpret_cast<const shm::CursorHeader*>(cursors_.data());
  const bool left = mutex.needs_repair() || cursors.rotation.active > 0;
  mutex.unlock();
  return !left;
}

}  // namespace fairlead::guest
