#include "outbox/outbox_service.hpp"

#include <algorithm>
#include <atomic>
#include <new>

#include <fairlead/shm/error.hpp>
#include <fairlead/shm/principal.hpp>

namespace fairlead::broker {

OutboxService::OutboxService(Delivery& delivery, OutboxSupervisor& supervisor, OutboxTiming timing,
                             std::function<std::uint64_t()> clock)
    : delivery_(delivery), supervisor_(supervisor), timing_(timing), clock_(std::move(clock)) {}

OutboxService::Rotation OutboxService::rotation() noexcept {
  return {state_, Entries{entries_.data()}, static_cast<std::uint32_t>(entries_.size())};
}

// ---- who publishes -----------------------------------------------------------------------------

Publisher& OutboxService::publisher_of(const std::string& principal) {
  const auto found = publishers_.find(principal);
  if (found != publishers_.end()) return *found->second;
  auto made = std::make_unique<Publisher>();
  made->principal = principal;
  if (free_slots_.empty()) {
    entries_.resize(slots_.size() + 1);
    slots_.push_back(nullptr);
    free_slots_.reserve(slots_.capacity());  // so that the last outbox can end without memory
    free_slots_.push_back(static_cast<std::uint32_t>(slots_.size() - 1));
  }
  Publisher& publisher = *publishers_.emplace(principal, std::move(made)).first->second;
  publisher.slot = free_slots_.back();
  free_slots_.pop_back();
  slots_[publisher.slot] = &publisher;
  return publisher;
}

void OutboxService::add(std::unique_ptr<Outbox> outbox) {
  if (publishers_.size() >= shm::kMaximumLanesPerRoute) {
    throw Error(ErrorCode::limit, "as many principals as one broker can serve publish already");
  }
  Publisher& publisher = publisher_of(outbox->owner.principal);
  outbox->publisher = &publisher;
  // Each outbox and publisher is in these once at most: what is served needs no memory for them.
  for (auto* list : {&hot_, &to_ring_}) list->reserve(outboxes_.size() + 1);
  waiting_.reserve(publishers_.size());
  const GuestId guest = outbox->owner.guest;
  outboxes_.emplace(guest, std::move(outbox));
  ++publisher.outboxes;
}

std::unique_ptr<Outbox> OutboxService::remove(GuestId guest) {
  auto node = outboxes_.extract(guest);
  if (node.empty()) return nullptr;
  std::unique_ptr<Outbox> outbox = std::move(node.mapped());
  Publisher& publisher = *outbox->publisher;
  std::erase(hot_, outbox.get());
  std::erase(to_ring_, outbox.get());
  std::erase(publisher.ready, outbox.get());
  if (publisher.current == outbox.get()) {
    delivery_.end(publisher.fan_out.fan_out());
    publisher.current = nullptr;
    --in_progress_;
  }
  --publisher.outboxes;
  forget_if_unused(publisher);
  return outbox;
}

void OutboxService::forget_if_unused(Publisher& publisher) {
  if (publisher.outboxes > 0) return;
  leave_rotation(publisher);
  std::erase(waiting_, &publisher);
  slots_[publisher.slot] = nullptr;
  free_slots_.push_back(publisher.slot);
  publishers_.erase(publishers_.find(publisher.principal));
}

const Outbox* OutboxService::find(GuestId guest) const noexcept {
  const auto found = outboxes_.find(guest);
  return found == outboxes_.end() ? nullptr : found->second.get();
}

void OutboxService::enter_rotation(Publisher& publisher) {
  if (publisher.in_rotation || publisher.waiting) return;
  publisher.in_rotation = true;
  rotation().join(publisher.slot, 1);
}

void OutboxService::leave_rotation(Publisher& publisher) {
  if (!publisher.in_rotation) return;
  publisher.in_rotation = false;
  rotation().leave(publisher.slot);
}

// ---- which outboxes are looked at --------------------------------------------------------------

void OutboxService::kicked(GuestId guest) {
  const auto found = outboxes_.find(guest);
  if (found == outboxes_.end()) return;
  Outbox& outbox = *found->second;
  outbox.active_nanoseconds = clock_();
  if (outbox.hot) return;
  hot_.push_back(&outbox);
  outbox.hot = true;
  outbox.receipts.set_asleep(false);
}

void OutboxService::make_ready(Outbox& outbox) {
  outbox.publisher->ready.push_back(&outbox);
  outbox.ready = true;
  enter_rotation(*outbox.publisher);
}

// Ends the polling of an outbox. Guest: store tail, full fence, load the flag. Here: store the
// flag, full fence, load tail. So either the guest sees that it must kick, or we see its message.
bool OutboxService::is_idle_after(Outbox& outbox, std::uint64_t now) {
  outbox.receipts.set_asleep(true);                     // sync: broker-asleep
  std::atomic_thread_fence(std::memory_order_seq_cst);  // sync: broker-asleep
  if (!outbox.reader.pending()) return true;
  outbox.receipts.set_asleep(false);
  outbox.active_nanoseconds = now;
  make_ready(outbox);
  return false;
}

void OutboxService::poll() {
  const std::uint64_t now = clock_();
  end_waits(now);
  std::erase_if(hot_, [&](Outbox* outbox) {
    if (outbox->ready || outbox->publisher->current == outbox) {
      outbox->active_nanoseconds = now;
      return false;
    }
    if (outbox->reader.pending()) {
      outbox->active_nanoseconds = now;
      make_ready(*outbox);
      return false;
    }
    if (now - outbox->active_nanoseconds < timing_.spin_nanoseconds) return false;
    if (!is_idle_after(*outbox, now)) return false;
    outbox->hot = false;
    return true;
  });
}

std::optional<std::uint64_t> OutboxService::next_look() const noexcept {
  if (state_.front != 0) return 0;
  std::optional<std::uint64_t> next;
  for (const Publisher* publisher : waiting_) {
    next = std::min(next.value_or(publisher->retry_nanoseconds), publisher->retry_nanoseconds);
  }
  for (const Outbox* outbox : hot_) {
    // One that waits with its publisher need not be polled.
    if (!outbox->publisher->waiting) return 0;
  }
  return next;
}

// ---- waiting -----------------------------------------------------------------------------------

void OutboxService::wait(Publisher& publisher) {
  leave_rotation(publisher);
  publisher.waiting = true;
  publisher.pause_nanoseconds =
      std::clamp(publisher.pause_nanoseconds * 2, timing_.first_pause_nanoseconds,
                 timing_.longest_pause_nanoseconds);
  publisher.retry_nanoseconds = clock_() + publisher.pause_nanoseconds;
  waiting_.push_back(&publisher);
}

void OutboxService::end_waits(std::uint64_t now) {
  std::erase_if(waiting_, [&](Publisher* publisher) {
    if (publisher->retry_nanoseconds > now) return false;
    publisher->waiting = false;
    enter_rotation(*publisher);
    return true;
  });
}

void OutboxService::hold(std::string_view principal) { ++held_[std::string(principal)]; }

void OutboxService::release(std::string_view principal) {
  const auto found = held_.find(std::string(principal));
  if (found != held_.end() && --found->second == 0) held_.erase(found);
}

// ---- serving -----------------------------------------------------------------------------------

bool OutboxService::serve(std::size_t visits) {
  for (std::size_t visit = 0; visit < visits; ++visit) {
    // Times the number of active ones, so that the quantum is the same in every round.
    const auto slot = rotation().visit(kPublishQuantumBytes * std::max(1U, state_.active));
    if (!slot) return false;
    take_turn(*slots_[*slot]);
    ring();
  }
  return state_.front != 0;
}

void OutboxService::take_turn(Publisher& publisher) {
  Rotation turn = rotation();
  for (;;) {
    if (publisher.current == nullptr && !start_next(publisher)) {
      // Nothing left, or the host's own publish goes first.
      if (publisher.ready.empty()) {
        leave_rotation(publisher);
      } else {
        wait(publisher);
      }
      return;
    }
    switch (step(publisher, turn)) {
      case Step::on:
        break;
      case Step::wait:
        wait(publisher);
        return;
      case Step::unaffordable:
        turn.pass(publisher.slot);
        return;
    }
  }
}

// Begins the principal's next message, taking its outboxes in turn.
bool OutboxService::start_next(Publisher& publisher) {
  if (held_.contains(publisher.principal)) return false;
  while (!publisher.ready.empty()) {
    Outbox& outbox = *publisher.ready.front();
    const std::uint64_t before = outbox.reader.position();
    switch (outbox.reader.peek()) {
      case OutboxReader::Peek::message:
        publisher.ready.push_back(&outbox);
        publisher.ready.pop_front();
        start(publisher, outbox);
        return true;
      case OutboxReader::Peek::nothing:
        publisher.ready.pop_front();
        outbox.ready = false;
        if (outbox.reader.position() == before) break;
        outbox.receipts.pass(outbox.reader.position());
        outbox.receipts.ring();
        break;
      case OutboxReader::Peek::violation:
        violations_.push_back({outbox.owner.guest, outbox.reader.violation()});
        publisher.ready.pop_front();
        outbox.ready = false;
        outbox.hot = false;
        std::erase(hot_, &outbox);
        break;
    }
  }
  return false;
}

void OutboxService::start(Publisher& publisher, Outbox& outbox) {
  const OutboxMessage& message = outbox.reader.message();
  const std::uint64_t bytes = message.payload.size() + message.topic.size();
  const std::uint64_t now = clock_();
  FanOut& fan_out = publisher.fan_out.fan_out();
  publisher.current = &outbox;
  ++in_progress_;
  publisher.charged = false;
  publisher.pause_nanoseconds = 0;
  publisher.cost = std::max(bytes, kMinimumPublishCost);
  publisher.patient_until_nanoseconds =
      std::min(message.block_until_nanoseconds, now + timing_.longest_block_nanoseconds);
  const bool again = message.publish_number == outbox.resumed_at;
  Refusal refusal =
      supervisor_.check(outbox.owner, message.topic, message.payload.size(), now, again);
  try {
    if (refusal == Refusal::none) {
      return delivery_.begin(fan_out, publisher.principal, message.topic, message.payload.size(),
                             outbox.owner.outbox_id, message.publish_number, now);
    }
  } catch (const std::bad_alloc&) {
    refusal = Refusal::no_memory;  // of the whole publish: no route has it yet
  }
  fan_out.routes.clear();
  fan_out.next = 0;
  fan_out.stamp = {};
  fan_out.report = {};
  fan_out.report.reason = refusal;
}

// Delivers as far as the deficit reaches. A message without routes, or a refused one, costs once.
OutboxService::Step OutboxService::step(Publisher& publisher, Rotation& turn) {
  const FanOut& fan_out = publisher.fan_out.fan_out();
  if (!fan_out.finished() || !publisher.charged) {
    const std::uint64_t affordable = turn.deficit(publisher.slot) / publisher.cost;
    if (affordable == 0) return Step::unaffordable;
    std::size_t visited = 0;
    const PatientFanOut::Progress progress =
        proceed(publisher, static_cast<std::size_t>(affordable), visited);
    turn.charge(publisher.slot, publisher.cost * std::max<std::size_t>(visited, 1));
    publisher.charged = true;
    if (progress == PatientFanOut::Progress::blocked) return Step::wait;
    if (progress == PatientFanOut::Progress::paused) return Step::on;
  }
  finish(publisher);
  return Step::on;
}

PatientFanOut::Progress OutboxService::proceed(Publisher& publisher, std::size_t most_routes,
                                               std::size_t& visited) {
  const OutboxMessage& message = publisher.current->reader.message();
  // A clock is read only where it matters.
  const bool patient =
      publisher.patient_until_nanoseconds != 0 && clock_() < publisher.patient_until_nanoseconds;
  return publisher.fan_out.proceed(delivery_, message.payload, most_routes, patient, visited);
}

// R34: every matching route has it (or has refused it), so the publisher may know.
void OutboxService::finish(Publisher& publisher) {
  Outbox& outbox = *publisher.current;
  const PublishReport& report = publisher.fan_out.fan_out().report;
  const OutboxMessage message = outbox.reader.message();
  outbox.reader.consume();
  outbox.receipts.acknowledge(message.publish_number, report, outbox.reader.position());
  delivery_.end(publisher.fan_out.fan_out());
  publisher.current = nullptr;
  --in_progress_;
  supervisor_.published(outbox.owner, report, message.payload.size() + message.topic.size());
  if (outbox.to_ring) return;
  outbox.to_ring = true;
  to_ring_.push_back(&outbox);
}

void OutboxService::ring() {
  for (Outbox* outbox : to_ring_) {
    outbox->to_ring = false;
    outbox->receipts.ring();
  }
  to_ring_.clear();
}

void OutboxService::finish_all() {
  for (const auto& [principal, publisher] : publishers_) (void)finish_paused(principal);
}

const FanOut* OutboxService::finish_paused(std::string_view principal) {
  if (in_progress_ == 0) return nullptr;  // on the path of every publish by the host
  const auto found = publishers_.find(std::string(principal));
  if (found == publishers_.end() || found->second->current == nullptr) return nullptr;
  Publisher& publisher = *found->second;
  std::size_t visited = 0;
  const FanOut& fan_out = publisher.fan_out.fan_out();
  publisher.fan_out.start_over();
  const PatientFanOut::Progress progress =
      proceed(publisher, fan_out.routes.size() * 2 + 1, visited);
  if (progress == PatientFanOut::Progress::blocked) return &fan_out;
  finish(publisher);
  ring();
  return nullptr;
}

}  // namespace fairlead::broker
