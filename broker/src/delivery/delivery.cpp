#include "delivery/delivery.hpp"

#include <algorithm>
#include <atomic>

#include <fairlead/shm/topic.hpp>

namespace fairlead::broker {

RouteId Delivery::add(std::unique_ptr<Route> route) {
  if (free_ids_.empty()) {
    routes_.emplace_back();
    free_ids_.reserve(routes_.capacity());  // so that remove() needs no memory
    free_ids_.push_back(static_cast<RouteId>(routes_.size() - 1));
  }
  const RouteId id = free_ids_.back();
  trie_.insert(route->identity().pattern.view(), id);  // the last that can fail
  free_ids_.pop_back();
  route->watch(in_flight_);
  routes_[id] = std::move(route);
  ++live_;
  return id;
}

void Delivery::remove(RouteId id) {
  if (find(id) == nullptr) return;
  trie_.erase(routes_[id]->identity().pattern.view(), id);
  routes_[id].reset();
  free_ids_.push_back(id);
  --live_;
}

void Delivery::replace(RouteId id, std::unique_ptr<Route> route) noexcept {
  route->watch(in_flight_);
  routes_[id] = std::move(route);
}

Route* Delivery::find(RouteId id) noexcept {
  return id < routes_.size() ? routes_[id].get() : nullptr;
}

void Delivery::for_each(const std::function<void(RouteId, Route&)>& visit) {
  for (RouteId id = 0; id < routes_.size(); ++id) {
    if (routes_[id]) visit(id, *routes_[id]);
  }
}

void Delivery::begin(FanOut& fan_out, std::string_view principal, std::string_view topic,
                     std::uint64_t payload_bytes, std::uint64_t publisher,
                     std::uint64_t publish_number, std::uint64_t now_nanoseconds) {
  fan_out.routes.clear();
  fan_out.next = 0;
  fan_out.report = {};
  fan_out.stamp = {};
  if (shm::check_topic(topic) != shm::TopicProblem::none) {
    fan_out.report.reason = Refusal::invalid_topic;
    return;
  }
  if (payload_bytes > shm::kMaximumInlinePayloadBytes) {
    fan_out.report.reason = Refusal::larger_than_limit;
    return;
  }
  fan_out.principal.assign(principal);
  fan_out.topic.assign(topic);
  fan_out.stamp = {next_sequence_++, now_nanoseconds, publisher, publish_number};
  fan_out.report.sequence = fan_out.stamp.sequence;
  trie_.match(topic, matched_);
  for (const RouteId id : matched_) {
    // Admission and gate are asked once, here: what opens later does not get this message (R13).
    Route& route = *routes_[id];
    if (route.admits(principal, fan_out.stamp.sequence))
      fan_out.routes.emplace_back(id, route.identity().subscription);
  }
  fan_out.report.matched = static_cast<std::uint32_t>(fan_out.routes.size());
  if (publisher != 0) in_flight_.begin(fan_out.stamp.sequence);
}

std::size_t Delivery::proceed(FanOut& fan_out, std::span<const std::byte> payload,
                              std::size_t most_routes, bool stop_when_full, bool& blocked) {
  blocked = false;
  touched_.clear();
  // Now: a route that took the message must be settled, or its guest would not wake.
  touched_.reserve(std::min(most_routes, fan_out.routes.size() - fan_out.next));
  std::size_t visited = 0;
  for (; visited < most_routes && !fan_out.finished(); ++visited) {
    const auto [id, subscription] = fan_out.routes[fan_out.next];
    Route* route = find(id);
    if (route == nullptr || route->identity().subscription != subscription) {  // ended meanwhile
      --fan_out.report.matched;
      ++fan_out.next;
      continue;
    }
    if (route->knows(fan_out.stamp)) {  // R34: sent again after a restart
      route->count_duplicate();
      ++fan_out.report.taken;
      ++fan_out.next;
      continue;
    }
    if (stop_when_full &&
        route->full_for(fan_out.principal, payload.size() + fan_out.topic.size())) {
      blocked = true;
      break;
    }
    const PushOutcome outcome =
        route->push(fan_out.principal, fan_out.stamp, fan_out.topic, payload);
    fan_out.report.evicted += outcome.evicted;
    if (outcome.taken()) {
      ++fan_out.report.taken;
      route->move_doorbell();
      touched_.push_back(route);
    } else {
      ++fan_out.report.refused;
      if (fan_out.report.reason == Refusal::none) fan_out.report.reason = outcome.refusal;
    }
    ++fan_out.next;
  }
  // One full fence for all routes: tails and doorbells before heads and wait counts.
  // sync: wait-count, lane-tail
  if (!touched_.empty()) std::atomic_thread_fence(std::memory_order_seq_cst);
  for (Route* route : touched_) route->settle();
  return visited;
}

PublishReport Delivery::publish(std::string_view principal, std::string_view topic,
                                std::span<const std::byte> payload, std::uint64_t publisher,
                                std::uint64_t publish_number, std::uint64_t now_nanoseconds) {
  begin(whole_, principal, topic, payload.size(), publisher, publish_number, now_nanoseconds);
  bool blocked = false;
  proceed(whole_, payload, whole_.routes.size(), false, blocked);
  end(whole_);
  return whole_.report;
}

}  // namespace fairlead::broker
