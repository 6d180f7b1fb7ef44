// Waiting for messages: the doorbell's sleeping half (doorbell_condition.hpp), and a look at the
// broker's end of the connection whenever there is nothing else to do.
#include <poll.h>

#include <algorithm>

#include <fairlead/shm/doorbell_condition.hpp>

#include "deadline.hpp"
#include "mapped_route.hpp"

namespace fairlead::guest {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::nanoseconds kShortestSleep = std::chrono::milliseconds(1);

Clock::time_point one_sleep(Clock::time_point deadline, const WaitSettings& settings) noexcept {
  return std::min(deadline, deadline_after(std::max(settings.longest_sleep, kShortestSleep)));
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
         route.loss.messages.load(std::memory_order_relaxed) != cursors.reported_loss_messages;
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
  for (;;) {
    if (const auto found = look(deadline)) return *found;
    if (!rang) reader_.free_slots_of_dead_workers();
    if (!rang && broker_gone()) {
      // Once more: it may have published before it went.
      return look(deadline).value_or(WaitOutcome::disconnected);
    }
    const Clock::time_point until = one_sleep(deadline, settings);
    switch (waiter.sleep_until(until)) {
      case shm::DoorbellOutcome::interrupted:
        return WaitOutcome::interrupted;
      case shm::DoorbellOutcome::rang:
        rang = true;
        break;
      case shm::DoorbellOutcome::timed_out:
        if (until == deadline) return WaitOutcome::timeout;
        rang = false;
        break;
    }
  }
}

// ---- when one broker follows another -----------------------------------------------------------

WaitOutcome MappedRoute::wait_until_filled(Clock::time_point deadline,
                                           const WaitSettings& settings) noexcept {
  shm::DoorbellWaiter waiter(reader_.doorbell(), reader_.wait_count(), settings.spin);
  for (;;) {
    if (filled()) return WaitOutcome::ready;
    if (broker_gone()) return WaitOutcome::disconnected;
    const Clock::time_point until = one_sleep(deadline, settings);
    const auto slept = waiter.sleep_until(until);
    if (slept == shm::DoorbellOutcome::interrupted) return WaitOutcome::interrupted;
    if (slept == shm::DoorbellOutcome::timed_out && until == deadline) return WaitOutcome::timeout;
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
