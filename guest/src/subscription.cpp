#include <fairlead/guest/subscription.hpp>

#include <limits>
#include <utility>

#include "resumable_route.hpp"

namespace fairlead::guest {

Subscription::Subscription(std::shared_ptr<ResumableRoute> route, WaitSettings waiting) noexcept
    : route_(std::move(route)), waiting_(waiting) {}

Subscription::Subscription(Subscription&&) noexcept = default;
Subscription& Subscription::operator=(Subscription&&) noexcept = default;
Subscription::~Subscription() = default;

Subscription Subscription::from_descriptors(SharedRoute shared, WaitSettings waiting) {
  return {std::make_shared<ResumableRoute>(std::move(shared), nullptr, nullptr), waiting};
}

Batch Subscription::drain(std::uint64_t byte_budget) noexcept {
  return route_->drain(byte_budget, std::numeric_limits<std::size_t>::max());
}

// Without a budget the round's quantum is the 4 KiB that R24 wants.
Batch Subscription::take() noexcept { return route_->drain(0, 1); }

std::optional<Kept> Subscription::keep(const Message& message) noexcept {
  return route_->keep(message);
}

WaitOutcome Subscription::wait(std::chrono::nanoseconds timeout) noexcept {
  return route_->wait(timeout, waiting_);
}

int Subscription::descriptor() const noexcept { return route_->descriptor(); }

shm::RouteState Subscription::state() const noexcept { return route_->state(); }

std::uint64_t Subscription::number() const noexcept { return route_->subscription(); }

shm::Boundary Subscription::boundary() const noexcept {
  return route_->first()->reader().identity().boundary;
}

std::string Subscription::pattern() const {
  return std::string(route_->first()->reader().identity().pattern.view());
}

std::optional<RouteEnd> Subscription::end(std::chrono::nanoseconds timeout) const {
  return route_->end(timeout);
}

SharedRoute Subscription::share() const { return route_->share(); }

void Subscription::set_waiting(WaitSettings waiting) noexcept { waiting_ = waiting; }

std::span<const std::byte> Subscription::mapping() const noexcept {
  return route_->first()->mapping();
}

std::string_view to_string(WaitOutcome outcome) noexcept {
  switch (outcome) {
    case WaitOutcome::ready:
      return "ready";
    case WaitOutcome::timeout:
      return "timeout";
    case WaitOutcome::interrupted:
      return "interrupted";
    case WaitOutcome::closed:
      return "closed";
    case WaitOutcome::poisoned:
      return "poisoned";
    case WaitOutcome::disconnected:
      return "disconnected";
    case WaitOutcome::corrupt:
      return "corrupt";
  }
  return "unknown";
}

}  // namespace fairlead::guest
