#include "resumable_route.hpp"

#include <algorithm>
#include <utility>

#include "deadline.hpp"
#include "ended_losses.hpp"

namespace fairlead::guest {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::nanoseconds kLookEvery = std::chrono::milliseconds(100);

}  // namespace

ResumableRoute::ResumableRoute(SharedRoute parts, std::shared_ptr<Connection> connection,
                               std::shared_ptr<Link> link, WakeUpUse use)
    : link_(std::move(link)),
      subscription_(parts.subscription),
      resumable_(link_ && link_->can_come_back()),
      wake_up_use_(use),
      first_(nullptr),
      watched_(use == WakeUpUse::watched && parts.wake_up) {
  if (resumable_ && parts.wake_up && !watched_) polled_.emplace();
  mappings_.push_back(
      std::make_shared<MappedRoute>(std::move(parts), std::move(connection), pool_, use));
  first_.store(mappings_.front().get(), std::memory_order_seq_cst);
  if (!watch(*mappings_.front())) throw_system("cannot make a descriptor to poll");
}

ResumableRoute::~ResumableRoute() {
  if (resumable_) link_->remove(subscription_);
}

std::shared_ptr<MappedRoute> ResumableRoute::first() const noexcept {
  const ViewPool::Visit visit(*pool_);
  return first_.load(std::memory_order_seq_cst)->shared_from_this();  // sync: first-mapping
}

std::shared_ptr<MappedRoute> ResumableRoute::mapping(std::size_t index) const noexcept {
  const std::lock_guard guard(mutex_);
  return index < mappings_.size() ? mappings_[index] : nullptr;
}

// ---- draining ----------------------------------------------------------------------------------

void ResumableRoute::drain_next(Batch& batch, std::uint64_t byte_budget, std::size_t most,
                                ViewPool::Visit& visit) noexcept {
  EndedLoss losses = batch.ended_loss();
  while (batch.outcome() == DrainOutcome::disconnected) {
    EndedLoss told;
    const Step taken = step(&told);
    add_loss(losses, told);
    switch (taken) {
      case Step::moved:
        visit.begin_anew();
        free_retired();
        [[fallthrough]];
      case Step::again:
        batch = first_.load(std::memory_order_seq_cst)->drain(byte_budget, most, visit);
        add_loss(losses, batch.ended_loss());
        break;
      case Step::filling:
      case Step::stay:
        batch.outcome_ = DrainOutcome::empty;
        break;
      case Step::ended:
        batch.outcome_ = DrainOutcome::closed;
        break;
      case Step::lost:
        batch.ended_loss_ = losses;
        return;
    }
  }
  batch.ended_loss_ = losses;
}

void ResumableRoute::watch_again() noexcept {
  const std::lock_guard guard(mutex_);
  polled_->watch_again();
}

// Without it a program that never waits would never learn that its broker is gone.
void ResumableRoute::look_now_and_then() noexcept {
  const std::int64_t now = Clock::now().time_since_epoch().count();
  if (now - last_look_.load(std::memory_order_relaxed) < kLookEvery.count()) return;
  last_look_.store(now, std::memory_order_relaxed);
  (void)first()->connection()->look_whether_gone();
  free_retired();
}

std::optional<Kept> ResumableRoute::keep(const Message& message) noexcept {
  if (const auto present = first(); present->contains(message)) return present->keep(message);
  std::shared_ptr<MappedRoute> owner;
  {
    const std::lock_guard guard(mutex_);
    for (const auto& earlier : earlier_) {
      owner = earlier.lock();
      if (owner && owner->contains(message)) break;
      owner.reset();
    }
  }
  return owner ? owner->keep(message) : std::nullopt;
}

// ---- waiting -----------------------------------------------------------------------------------

WaitOutcome ResumableRoute::wait(std::chrono::nanoseconds timeout,
                                 const WaitSettings& settings) noexcept {
  const SteadyTime deadline = deadline_after(timeout);
  for (;;) {
    const WaitOutcome outcome = first()->wait(deadline, settings);
    if (outcome != WaitOutcome::disconnected || !resumable_) return outcome;
    switch (step(nullptr)) {
      case Step::again:
        return WaitOutcome::ready;
      case Step::moved:
        free_retired();
        break;
      case Step::filling:
      case Step::stay:
        if (const auto over = rest(deadline, settings)) return *over;
        break;
      case Step::ended:
        return WaitOutcome::closed;
      case Step::lost:
        return WaitOutcome::disconnected;
    }
  }
}

/// Until it is worth another look; an outcome when the wait is over.
std::optional<WaitOutcome> ResumableRoute::rest(SteadyTime deadline,
                                                const WaitSettings& settings) noexcept {
  const auto second = mapping(1);
  if (second && !second->connection()->gone()) {
    const WaitOutcome outcome = second->wait_until_filled(deadline, settings);
    if (outcome == WaitOutcome::timeout || outcome == WaitOutcome::interrupted) return outcome;
    return std::nullopt;
  }
  if (Clock::now() >= deadline) return WaitOutcome::timeout;
  if (link_->rest(deadline) == Link::Rest::interrupted) return WaitOutcome::interrupted;
  return std::nullopt;
}

int ResumableRoute::descriptor() const noexcept {
  return polled_ ? polled_->descriptor() : first()->wake_up();
}

// ---- control -----------------------------------------------------------------------------------

shm::RouteState ResumableRoute::state() const noexcept {
  {
    const std::lock_guard guard(mutex_);
    if (end_) return end_->state;
  }
  const shm::RouteState said = first()->reader().state();
  return said == shm::RouteState::filling ? shm::RouteState::open : said;
}

std::optional<RouteEnd> ResumableRoute::end(std::chrono::nanoseconds timeout) const {
  std::shared_ptr<MappedRoute> newest;
  {
    const std::lock_guard guard(mutex_);
    if (end_) return end_;
    for (const auto& each : mappings_) {
      if (!each->connection()) return std::nullopt;
      if (auto found = each->connection()->end_of(subscription_)) return found;
    }
    newest = mappings_.back();
  }
  return newest->connection()->end_of(subscription_, timeout);
}

SharedRoute ResumableRoute::share() const {
  std::shared_ptr<MappedRoute> chosen;
  {
    const std::lock_guard guard(mutex_);
    // The newest that may be drained: a worker has no other.
    const auto found = std::find_if(mappings_.rbegin(), mappings_.rend(),
                                    [](const auto& each) { return each->filled(); });
    chosen = found != mappings_.rend() ? *found : mappings_.front();
  }
  return chosen->share();
}

void ResumableRoute::rouse() const noexcept {
  const std::lock_guard guard(mutex_);
  for (const auto& each : mappings_) each->rouse();
}

void ResumableRoute::mark_ended() noexcept {
  const std::lock_guard guard(mutex_);
  ended_ = true;
  for (const auto& each : mappings_) each->mark_ended();
}

}  // namespace fairlead::guest
