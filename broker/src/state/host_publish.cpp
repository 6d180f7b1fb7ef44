#include "state/host_publish.hpp"

#include <algorithm>

#include <fairlead/shm/principal.hpp>

#include "outbox/patient_fan_out.hpp"

namespace fairlead::broker {
namespace {

PublishReport refused(Refusal reason) noexcept {
  PublishReport report;
  report.reason = reason;
  return report;
}

// A host's publish that waits for room (R21). While it does, no further message of its principal
// begins, so that none overtakes it in a lane (R09).
class WaitingPublish {
 public:
  WaitingPublish(BrokerState& state, std::string_view principal, std::chrono::nanoseconds longest)
      : state_(state),
        principal_(principal),
        deadline_(std::chrono::steady_clock::now() +
                  std::min<std::chrono::nanoseconds>(longest, std::chrono::hours(24 * 365))),
        pause_(state.options.first_pause) {
    state_.outboxes.hold(principal_);
  }
  ~WaitingPublish() {
    if (begun_) state_.host_waits.erase(principal_);
    state_.outboxes.release(principal_);
    state_.room.notify_all();
  }
  WaitingPublish(const WaitingPublish&) = delete;
  WaitingPublish& operator=(const WaitingPublish&) = delete;

  PublishReport run(std::unique_lock<std::mutex>& lock, std::string_view topic,
                    std::span<const std::byte> payload) {
    while (settle_earlier(state_, principal_) != nullptr) {
      if (!wait(lock)) return publish_now(state_, principal_, topic, payload);
      if (state_.stopped) return refused(Refusal::route_closed);
    }
    FanOut& fan_out = fan_out_.fan_out();
    state_.delivery.begin(fan_out, principal_, topic, payload.size(), 0, 0, state_.clock());
    for (;;) {
      const bool patient = std::chrono::steady_clock::now() < deadline_;
      std::size_t visited = 0;
      const auto progress = fan_out_.proceed(state_.delivery, payload,
                                             fan_out.routes.size() * 2 + 1, patient, visited);
      if (progress == PatientFanOut::Progress::finished) return fan_out.report;
      if (!begun_) begun_ = state_.host_waits.emplace(principal_, &fan_out).second;
      wait(lock);
      if (state_.stopped) return refused(Refusal::route_closed);
    }
  }

 private:
  /// False when the time is up. The lock is free meanwhile.
  bool wait(std::unique_lock<std::mutex>& lock) {
    const auto now = std::chrono::steady_clock::now();
    if (now >= deadline_) return false;
    state_.room.wait_for(lock, std::min<std::chrono::nanoseconds>(pause_, deadline_ - now));
    pause_ = std::min(pause_ * 2, state_.options.longest_pause);
    return true;
  }

  BrokerState& state_;
  std::string principal_;
  std::chrono::steady_clock::time_point deadline_;
  std::chrono::nanoseconds pause_;
  PatientFanOut fan_out_;
  bool begun_ = false;
};

}  // namespace

const FanOut* settle_earlier(BrokerState& state, std::string_view principal) {
  const auto waiting = state.host_waits.find(principal);
  if (waiting != state.host_waits.end()) return waiting->second;
  return state.outboxes.finish_paused(principal);
}

PublishReport publish_now(BrokerState& state, std::string_view principal, std::string_view topic,
                          std::span<const std::byte> payload) {
  const FanOut* earlier = settle_earlier(state, principal);
  if (earlier == nullptr) {
    return state.delivery.publish(principal, topic, payload, 0, 0, state.clock());
  }
  FanOut fan_out;
  state.delivery.begin(fan_out, principal, topic, payload.size(), 0, 0, state.clock());
  give_way(fan_out, *earlier);
  bool blocked = false;
  state.delivery.proceed(fan_out, payload, fan_out.routes.size(), false, blocked);
  return fan_out.report;
}

PublishReport publish_by_host(BrokerState& state, std::string_view principal,
                              std::string_view topic, std::span<const std::byte> payload,
                              PublishOptions options) noexcept {
  if (shm::check_principal(principal) != shm::PrincipalProblem::none)
    return refused(Refusal::not_permitted);
  try {
    std::unique_lock lock(state.mutex);
    if (state.stopped) return refused(Refusal::route_closed);
    PublishReport report;
    if (options.block_for.count() > 0) {
      WaitingPublish waiting(state, principal, options.block_for);
      report = waiting.run(lock, topic, payload);
    } else {
      report = publish_now(state, principal, topic, payload);
    }
    state.count(principal, report, payload.size() + topic.size());
    return report;
  } catch (const std::bad_alloc&) {
    return refused(Refusal::no_memory);
  }
}

}  // namespace fairlead::broker
