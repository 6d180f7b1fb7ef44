#include <fairlead/broker/loan.hpp>

#include <atomic>

#include "state/loan_content.hpp"

namespace fairlead::broker {

Loan::Content::Content(std::shared_ptr<BrokerState> state, std::string principal, std::string topic)
    : state_(std::move(state)), principal_(std::move(principal)), topic_(std::move(topic)) {}

Loan::Content::~Content() {
  if (!memory_) return;
  const std::lock_guard lock(state_->mutex);
  cancel();
}

// With the mutex held, as in all of what follows.
Route* Loan::Content::live_route() noexcept {
  if (!memory_) return nullptr;
  Route* route = state_->delivery.find(route_);
  // The id may have been given to another route since; a subscription number never is.
  if (route == nullptr || route->identity().subscription != subscription_) return nullptr;
  // Its guest may have come back meanwhile, and the route have another segment (R34).
  return state_->routes.at(route_).memory == memory_ ? route : nullptr;
}

void Loan::Content::cancel() noexcept {
  if (Route* route = live_route()) route->cancel(reservation_);
  // Else the room has gone with its route; the memory is ours until here.
  memory_.reset();
}

bool Loan::Content::reserve(std::uint64_t bytes) {
  std::vector<RouteId> matching;
  state_->delivery.match(topic_, matching);
  const std::uint64_t next = state_->delivery.next_sequence();
  std::erase_if(matching,
                [&](RouteId id) { return !state_->delivery.find(id)->admits(principal_, next); });
  if (matching.size() != 1) return false;
  Route& route = *state_->delivery.find(matching.front());
  const auto reservation = route.reserve(principal_, bytes, topic_.size());
  if (!reservation) return false;
  reservation_ = *reservation;
  route_ = matching.front();
  subscription_ = route.identity().subscription;
  memory_ = state_->routes[route_].memory;
  bytes_ = reservation_.payload;
  return true;
}

void Loan::Content::use_buffer(std::uint64_t bytes) {
  buffer_ = std::make_unique_for_overwrite<std::byte[]>(bytes);
  bytes_ = {buffer_.get(), bytes};
}

PublishReport Loan::Content::publish_in_place(Route& route, const FanOut& fan_out) noexcept {
  PublishReport report = fan_out.report;
  const PushOutcome outcome = route.commit(principal_, reservation_, fan_out.stamp, topic_);
  memory_.reset();  // the room is the route's again, taken or not
  report.evicted = outcome.evicted;
  if (!outcome.taken()) {
    report.refused = 1;
    report.reason = outcome.refusal;
    return report;
  }
  report.taken = 1;
  route.move_doorbell();
  std::atomic_thread_fence(std::memory_order_seq_cst);  // sync: wait-count, lane-tail
  route.settle();
  return report;
}

PublishReport Loan::Content::publish() {
  const FanOut* earlier = settle_earlier(*state_, principal_);
  FanOut fan_out;
  state_->delivery.begin(fan_out, principal_, topic_, bytes_.size(), 0, 0, state_->clock());
  Route* route = live_route();
  const bool only_that = route != nullptr && earlier == nullptr && fan_out.routes.size() == 1 &&
                         fan_out.routes.front() == std::pair(route_, subscription_);
  if (only_that) return publish_in_place(*route, fan_out);
  if (earlier != nullptr) give_way(fan_out, *earlier);
  bool blocked = false;
  state_->delivery.proceed(fan_out, bytes_, fan_out.routes.size(), false, blocked);
  cancel();
  return fan_out.report;
}

PublishReport Loan::Content::commit() {
  const std::lock_guard lock(state_->mutex);
  if (state_->stopped) {
    cancel();
    PublishReport report;
    report.reason = Refusal::route_closed;
    return report;
  }
  const std::uint64_t bytes = bytes_.size() + topic_.size();
  const PublishReport report = publish();
  state_->count(principal_, report, bytes);
  return report;
}

// ---- the public face ---------------------------------------------------------------------------

Loan::Loan() noexcept = default;
Loan::Loan(std::unique_ptr<Content> content) noexcept : content_(std::move(content)) {}
Loan::Loan(Loan&& other) noexcept = default;
Loan& Loan::operator=(Loan&& other) noexcept = default;
Loan::~Loan() = default;

std::span<std::byte> Loan::bytes() const noexcept {
  return content_ ? content_->bytes() : std::span<std::byte>();
}

bool Loan::in_place() const noexcept { return content_ && content_->in_place(); }

PublishReport Loan::commit() noexcept {
  PublishReport report;
  if (!content_) {
    report.reason = Refusal::not_permitted;
    return report;
  }
  try {
    report = content_->commit();
  } catch (const std::bad_alloc&) {
    report = {};
    report.reason = Refusal::no_memory;
  }
  content_.reset();
  return report;
}

}  // namespace fairlead::broker
