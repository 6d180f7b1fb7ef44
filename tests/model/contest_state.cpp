// Routes and draining on both sides of a contest.
#include "contest_state.hpp"

#include <algorithm>

namespace fairlead::test {

using shm::RouteReader;

ContestState::ContestState(RouteDriver& driver, const ContestOptions& options)
    : driver_(driver), options_(options) {
  for (auto& gate : gates_) gate = std::make_shared<broker::Gate>(false);
}

ContestState::~ContestState() {
  for (Contestant& each : contestants_) {
    if (each.model) delivery_.remove(each.id);
  }
}

broker::Route& ContestState::real(const Contestant& contestant) {
  return *delivery_.find(contestant.id);
}

ContestState::Contestant* ContestState::find(std::uint64_t subscription) {
  const auto found = std::find_if(
      std::begin(contestants_), std::end(contestants_),
      [&](const Contestant& each) { return each.model && each.subscription == subscription; });
  return found == std::end(contestants_) ? nullptr : &*found;
}

std::uint64_t ContestState::Contestant::held_messages() const {
  std::uint64_t sum = held.size();
  for (const Batch& batch : batches) sum += batch.messages.size();
  return sum;
}

void ContestState::attach(const Operation& operation) {
  const auto& numbers = operation.numbers;
  Contestant& contestant = contestants_[numbers[0] % kRoutes];
  if (contestant.model) detach(contestant);
  shm::RouteIdentity identity =
      identity_of(pattern_text(numbers[4]), numbers[2], options_.cap_bytes,
                  static_cast<std::uint32_t>(numbers[3]));
  identity.subscription = ++subscriptions_;
  identity.eviction = static_cast<shm::EvictionPolicy>(numbers[1]);
  identity.admission = static_cast<shm::AdmissionKind>(numbers[5]);
  const std::string admitted = principal_name(numbers[6]);
  identity.admitted_principal.assign(admitted);
  contestant.ends = driver_.attach(identity);
  contestant.subscription = identity.subscription;
  contestant.lanes = identity.lane_capacity;
  contestant.budget = identity.budget_bytes;
  const std::size_t gate = numbers[7] % kGates;
  contestant.id = delivery_.add(std::make_unique<broker::Route>(
      contestant.ends->segment(), contestant.ends->cursors(), gates_[gate], -1));
  ReferenceRoute::Settings settings{
      identity.eviction,     identity.admission,     admitted,           pattern_text(numbers[4]),
      identity.budget_bytes, identity.lane_capacity, &model_gates_[gate]};
  if (options_.mistake == Mistake::budget_one_byte_larger) ++settings.budget;
  if (options_.mistake == Mistake::one_lane_more) ++settings.lanes;
  if (options_.mistake == Mistake::admits_everybody) settings.admission = shm::AdmissionKind::all;
  contestant.model = std::make_unique<ReferenceRoute>(settings);
}

void ContestState::detach(Contestant& contestant) {
  delivery_.remove(contestant.id);
  contestant = Contestant{};
}

void ContestState::drain(Contestant& contestant, std::uint64_t byte_budget, std::uint64_t most) {
  DrainResult result = contestant.ends->guest().drain(byte_budget, most);
  if (contestant.batches.size() == shm::kTicketSlots) {
    expect_same("outcome of the drain", result.outcome, RouteReader::Outcome::too_many_batches);
    return;
  }
  const ReferenceRoute::Drained model = contestant.model->drain(byte_budget, most);
  const std::size_t common = std::min(result.messages.size(), model.messages.size());
  for (std::size_t each = 0; each < common; ++each) {
    expect_that(result.messages[each] == model.messages[each],
                "message " + std::to_string(each) + ": " + to_text(result.messages[each]) +
                    "; the model says " + to_text(model.messages[each]));
  }
  expect_same("messages", result.messages.size(), model.messages.size());
  const RouteReader::Outcome nothing =
      contestant.model->closed() ? RouteReader::Outcome::closed : RouteReader::Outcome::empty;
  expect_same("outcome of the drain", result.outcome,
              model.messages.empty() ? nothing : RouteReader::Outcome::ok);
  expect_same("lost at the end of lanes", result.ended.messages, model.ended.messages);
  expect_same("bytes lost at the end of lanes", result.ended.bytes, model.ended.bytes);
  expect_same("last sequence lost", result.ended.last_sequence, model.ended.last_sequence);
  expect_same("reason of the loss", result.ended.reason, model.ended.reason);
  delivered_ += result.messages.size();
  if (result.outcome == RouteReader::Outcome::ok)
    contestant.batches.push_back({result.batch, std::move(result.messages)});
}

void ContestState::take(Contestant& contestant, std::uint64_t times) {
  if (times == 1) return drain(contestant, 0, 1);
  while (times-- > 0) {
    const std::size_t out = contestant.batches.size();
    drain(contestant, 0, 1);
    if (contestant.batches.size() == out) return;
    release(contestant, out);
  }
}

// R22: what a guest holds stays as it was.
void ContestState::release(Contestant& contestant, std::uint64_t which) {
  if (contestant.batches.empty()) return;
  const auto batch =
      contestant.batches.begin() + static_cast<std::ptrdiff_t>(which % contestant.batches.size());
  expect_that(contestant.ends->guest().look(batch->number) == batch->messages,
              "a batch changed while it was out");
  contestant.ends->guest().release(batch->number);
  contestant.batches.erase(batch);
}

void ContestState::hold(Contestant& contestant, std::uint64_t which, std::uint64_t message) {
  if (contestant.batches.empty()) return;
  const Batch& batch = contestant.batches[which % contestant.batches.size()];
  const auto index = static_cast<std::uint32_t>(message % batch.messages.size());
  const auto slot = contestant.ends->guest().hold(batch.number, index);
  expect_same("kept", slot.has_value(), contestant.held.size() < shm::kHoldSlots);
  if (slot) contestant.held.push_back({*slot, batch.messages[index]});
}

void ContestState::release_hold(Contestant& contestant, std::uint64_t which) {
  if (contestant.held.empty()) return;
  const auto held =
      contestant.held.begin() + static_cast<std::ptrdiff_t>(which % contestant.held.size());
  expect_that(contestant.ends->guest().look_held(held->number) == held->message,
              "a message changed while it was kept");
  contestant.ends->guest().release_hold(held->number);
  contestant.held.erase(held);
}

void ContestState::maintain(Contestant& contestant) {
  real(contestant).maintain();
  check_lanes(contestant);
}

void ContestState::run_on_route(const Operation& operation, Contestant& contestant) {
  switch (operation.kind) {
    case OperationKind::detach:
      return detach(contestant);
    case OperationKind::close:
      contestant.model->close();
      return real(contestant).close(shm::RouteState::closed);
    case OperationKind::drain:
      return drain(contestant, operation.numbers[1], operation.numbers[2]);
    case OperationKind::take:
      return take(contestant, operation.numbers[1]);
    case OperationKind::release:
      return release(contestant, operation.numbers[1]);
    case OperationKind::hold:
      return hold(contestant, operation.numbers[1], operation.numbers[2]);
    case OperationKind::release_hold:
      return release_hold(contestant, operation.numbers[1]);
    case OperationKind::maintain:
      return maintain(contestant);
    default:
      return;
  }
}

void ContestState::run(const Operation& operation) {
  const std::size_t gate = operation.numbers[0] % kGates;
  switch (operation.kind) {
    case OperationKind::publish:
      return publish(operation);
    case OperationKind::patient:
      return patient(operation);
    case OperationKind::paused:
      return paused(operation);
    case OperationKind::resume:
      return resume(operation);
    case OperationKind::loan:
      return loan(operation);
    case OperationKind::attach:
      return attach(operation);
    case OperationKind::open_gate:
      gates_[gate]->open(delivery_.next_sequence());
      model_gates_[gate].admits = true;
      return;
    case OperationKind::retire_gate:
      gates_[gate]->retire(delivery_.next_sequence());
      model_gates_[gate].admits = false;
      return;
    default:
      break;
  }
  Contestant& contestant = contestants_[operation.numbers[0] % kRoutes];
  if (contestant.model) run_on_route(operation, contestant);
}

void ContestState::finish() {
  while (!paused_.empty()) resume({});
  for (Contestant& each : contestants_) {
    if (!each.model) continue;
    while (!each.batches.empty()) release(each, 0);
    while (!each.held.empty()) release_hold(each, 0);
    while (each.model->queued() > 0) {
      drain(each, 1'000'000, 1'000);
      release(each, 0);
    }
    drain(each, 1, 1);
    maintain(each);
    check_counters(each);
    check_nothing_left(each);
  }
}

}  // namespace fairlead::test
