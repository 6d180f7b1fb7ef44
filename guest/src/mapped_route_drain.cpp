// Taking messages and giving them back.
#include <sys/socket.h>

#include <utility>

#include "ended_losses.hpp"
#include "mapped_route.hpp"

namespace fairlead::guest {
namespace {

using Outcome = shm::RouteReader::Outcome;

// Seldom enough to cost nothing, often enough that a dead worker's batch does not fill the segment.
constexpr std::uint32_t kDrainsPerLook = 32;

DrainOutcome to_drain_outcome(Outcome outcome) noexcept {
  switch (outcome) {
    case Outcome::ok:
      return DrainOutcome::messages;
    case Outcome::empty:
      return DrainOutcome::empty;
    case Outcome::closed:
      return DrainOutcome::closed;
    case Outcome::poisoned:
      return DrainOutcome::poisoned;
    case Outcome::too_many_batches:
      return DrainOutcome::too_many_batches;
    case Outcome::no_memory:
      return DrainOutcome::no_memory;
    case Outcome::corrupt:
      break;
  }
  return DrainOutcome::corrupt;
}

}  // namespace

Batch MappedRoute::drain(std::uint64_t byte_budget, std::size_t most,
                         ViewPool::Visit& visit) noexcept {
  Batch batch;
  batch.messages_ = visit.take();
  const std::uint32_t drains = drains_.load(std::memory_order_relaxed) + 1;
  drains_.store(drains, std::memory_order_relaxed);
  if (drains % kDrainsPerLook == 0) reader_.free_slots_of_dead_workers();
  // Before the look: of a broker that is gone already, nothing new comes after it.
  bool gone = known_gone();
  Outcome outcome =
      reader_.drain(byte_budget, most, batch.messages_, batch.ticket_, batch.ended_loss_);
  if (outcome == Outcome::empty && wake_up() >= 0) {
    arm();
    gone = known_gone();
    EndedLoss later;
    outcome = reader_.drain(byte_budget, most, batch.messages_, batch.ticket_, later);
    add_loss(batch.ended_loss_, later);
  }
  batch.outcome_ = to_drain_outcome(outcome);
  if (outcome == Outcome::ok) {
    batch.route_ = shared_from_this();
    return batch;
  }
  visit.put(std::move(batch.messages_));
  if (outcome == Outcome::empty && gone) batch.outcome_ = DrainOutcome::disconnected;
  return batch;
}

// Takes the old signals away, asks for a new one, and lets the caller look once more: what was
// published before the question is seen by that look, what comes after it sends a signal.
void MappedRoute::arm() noexcept {
  std::byte signals[64];  // an honest broker sends one per question
  iovec part{signals, sizeof signals};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (::recvmsg(wake_up_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) == 0) {
    gone_.store(true, std::memory_order_release);
  }
  reader_.arm_count().fetch_add(1, std::memory_order_seq_cst);  // likewise sync: wait-count
  std::atomic_thread_fence(std::memory_order_seq_cst);
}

void MappedRoute::release(Batch& batch) noexcept {
  reader_.release(batch.ticket_, batch.messages_.size());
  pool_->put(std::move(batch.messages_));
}

// The lowest free slot is taken, so one that the broker does not look at means that those before it
// are taken.
std::optional<shm::RouteReader::Hold> MappedRoute::hold(const Message& message) noexcept {
  const auto hold = reader_.hold(message);
  if (!hold || *hold < hold_slots_) return hold;
  reader_.release_hold(*hold);
  return std::nullopt;
}

bool MappedRoute::contains(const Message& message) const noexcept {
  const auto* chunk = reinterpret_cast<const std::byte*>(&message.chunk());
  const auto whole = mapping();
  return chunk >= whole.data() && chunk < whole.data() + whole.size();
}

std::optional<Kept> MappedRoute::keep(const Message& message) noexcept {
  if (!contains(message)) return std::nullopt;
  auto slot = hold(message);
  if (!slot) {
    reader_.free_slots_of_dead_workers();
    slot = hold(message);
  }
  if (!slot) return std::nullopt;
  return Kept(shared_from_this(), message, *slot);
}

// ---- batches -----------------------------------------------------------------------------------

Batch::Batch(Batch&& other) noexcept
    : route_(std::move(other.route_)),
      messages_(std::move(other.messages_)),
      ticket_(other.ticket_),
      outcome_(other.outcome_),
      ended_loss_(other.ended_loss_) {
  other.messages_.clear();
}

Batch& Batch::operator=(Batch&& other) noexcept {
  if (this == &other) return *this;
  release();
  route_ = std::move(other.route_);
  messages_ = std::move(other.messages_);
  other.messages_.clear();
  ticket_ = other.ticket_;
  outcome_ = other.outcome_;
  ended_loss_ = other.ended_loss_;
  return *this;
}

void Batch::release() noexcept {
  if (!route_) return;
  route_->release(*this);
  messages_.clear();
  route_.reset();
}

Kept::Kept(std::shared_ptr<MappedRoute> route, const Message& message,
           shm::RouteReader::Hold hold) noexcept
    : route_(std::move(route)), message_(message), hold_(hold) {}

Kept& Kept::operator=(Kept&& other) noexcept {
  if (this == &other) return *this;
  if (route_) route_->release_hold(hold_);
  route_ = std::move(other.route_);
  message_ = other.message_;
  hold_ = other.hold_;
  return *this;
}

Kept::~Kept() {
  if (route_) route_->release_hold(hold_);
}

std::string_view to_string(DrainOutcome outcome) noexcept {
  switch (outcome) {
    case DrainOutcome::messages:
      return "messages";
    case DrainOutcome::empty:
      return "empty";
    case DrainOutcome::closed:
      return "closed";
    case DrainOutcome::poisoned:
      return "poisoned";
    case DrainOutcome::disconnected:
      return "disconnected";
    case DrainOutcome::too_many_batches:
      return "too_many_batches";
    case DrainOutcome::corrupt:
      return "corrupt";
    case DrainOutcome::no_memory:
      return "no_memory";
  }
  return "unknown";
}

}  // namespace fairlead::guest
