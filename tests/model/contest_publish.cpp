// Publishing on both sides of a contest.
#include <algorithm>
#include <random>

#include "contest_state.hpp"
#include "reference_rules.hpp"

namespace fairlead::test {
namespace {

using broker::PublishReport;
using shm::Refusal;

constexpr std::size_t kVariety = 8'192;
constexpr std::size_t kLongest = 1024 * 1024;

// Bytes that differ from message to message at every place.
std::string content(std::uint64_t number, std::uint64_t bytes) {
  static const std::string kBytes = [] {
    std::mt19937 random(1);
    std::string made(kVariety + kLongest, '\0');
    for (char& byte : made) byte = static_cast<char>(random());
    return made;
  }();
  return kBytes.substr(number * 37 % kVariety, bytes);
}

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

shm::MessageStamp stamp_of(const TakenMessage& message) {
  return {message.sequence, message.published_nanoseconds, message.publisher,
          message.publish_number};
}

}  // namespace

void ContestState::compare(const PublishReport& real, const PublishReport& model) {
  expect_same("sequence", real.sequence, model.sequence);
  expect_same("matched", real.matched, model.matched);
  expect_same("taken", real.taken, model.taken);
  expect_same("evicted", real.evicted, model.evicted);
  expect_same("refused", real.refused, model.refused);
  expect_same("reason", real.reason, model.reason);
}

TakenMessage ContestState::make_message(std::uint64_t principal, std::uint64_t topic,
                                        std::uint64_t bytes) {
  ++publishes_;
  TakenMessage message;
  message.principal = principal_name(principal % kPrincipals);
  message.topic = topic_text(topic);
  message.payload = content(publishes_, std::min<std::uint64_t>(bytes, kLongest));
  message.published_nanoseconds = publishes_ * 1'000;
  message.publisher = publishes_ % 5;
  message.publish_number = publishes_ * 3;
  return message;
}

// The broker never lets a later message of a principal overtake a fan-out that paused (R09).
bool ContestState::is_paused(std::uint64_t principal) const {
  const std::string name = principal_name(principal % kPrincipals);
  return std::any_of(paused_.begin(), paused_.end(),
                     [&](const Paused& each) { return each.message.principal == name; });
}

void ContestState::name_slot(Contestant& contestant, const std::string& principal) {
  const shm::RouteWriter& writer = real(contestant).writer();
  for (shm::Lane lane = 0; lane < contestant.lanes; ++lane) {
    if (!writer.in_use(lane) || writer.principal(lane) != principal) continue;
    contestant.model->name_slot(principal, lane);
    return;
  }
  throw Difference("'" + principal + "' has no lane");
}

void ContestState::model_push(Contestant& contestant, const TakenMessage& message,
                              PublishReport& report) {
  const ReferenceRoute::Pushed pushed = contestant.model->push(message);
  report.evicted += pushed.evicted;
  evicted_ += pushed.evicted;
  if (pushed.refusal == Refusal::none) {
    ++report.taken;
    if (pushed.opened_lane) name_slot(contestant, message.principal);
  } else {
    ++report.refused;
    if (report.reason == Refusal::none) report.reason = pushed.refusal;
  }
}

void ContestState::begin(const TakenMessage& message, Paused& fan_out) {
  fan_out.message = message;
  delivery_.begin(fan_out.real, message.principal, message.topic, message.payload.size(),
                  message.publisher, message.publish_number, message.published_nanoseconds);
  // The model gives lanes back at once, also of messages in flight (tests/delivery has those).
  delivery_.end(fan_out.real);
  if (!reference_topic_is_valid(message.topic)) {
    fan_out.report.reason = Refusal::invalid_topic;
    compare(fan_out.real.report, fan_out.report);
    return;
  }
  fan_out.report.sequence = fan_out.message.sequence = next_sequence_++;
  for (Contestant& each : contestants_) {
    if (each.model && each.model->concerns(message.topic, message.principal))
      ++fan_out.report.matched;
  }
  compare(fan_out.real.report, fan_out.report);
  for (const auto& [id, subscription] : fan_out.real.routes) {
    Contestant* const contestant = find(subscription);
    expect_that(
        contestant != nullptr && contestant->model->concerns(message.topic, message.principal),
        "a route was matched that should not be");
    fan_out.subscriptions.push_back(subscription);
  }
}

void ContestState::proceed(Paused& fan_out, std::size_t most, bool stop_when_full) {
  bool blocked = false;
  const std::size_t visited = delivery_.proceed(fan_out.real, bytes_of(fan_out.message.payload),
                                                most, stop_when_full, blocked);
  const std::uint64_t cost = fan_out.message.payload.size() + fan_out.message.topic.size();
  bool model_blocked = false;
  std::size_t model_visited = 0;
  for (; model_visited < most && fan_out.next < fan_out.subscriptions.size(); ++model_visited) {
    Contestant* const contestant = find(fan_out.subscriptions[fan_out.next]);
    if (contestant == nullptr) {
      --fan_out.report.matched;
    } else {
      model_blocked =
          stop_when_full && contestant->model->full_for(fan_out.message.principal, cost);
      if (model_blocked) break;
      model_push(*contestant, fan_out.message, fan_out.report);
    }
    ++fan_out.next;
  }
  expect_same("blocked", blocked, model_blocked);
  expect_same("routes visited", visited, model_visited);
  compare(fan_out.real.report, fan_out.report);
}

void ContestState::publish(const Operation& operation) {
  if (is_paused(operation.numbers[0])) return;
  for (std::uint64_t times = operation.numbers[3]; times > 0; --times) {
    TakenMessage message =
        make_message(operation.numbers[0], operation.numbers[1], operation.numbers[2]);
    const PublishReport report =
        delivery_.publish(message.principal, message.topic, bytes_of(message.payload),
                          message.publisher, message.publish_number, message.published_nanoseconds);
    PublishReport model;
    if (reference_topic_is_valid(message.topic)) {
      model.sequence = message.sequence = next_sequence_++;
      // By route number, so that the first refusal is the same one.
      std::vector<Contestant*> concerned;
      for (Contestant& each : contestants_) {
        if (each.model && each.model->concerns(message.topic, message.principal))
          concerned.push_back(&each);
      }
      std::sort(concerned.begin(), concerned.end(),
                [](const auto* one, const auto* other) { return one->id < other->id; });
      model.matched = static_cast<std::uint32_t>(concerned.size());
      for (Contestant* each : concerned) model_push(*each, message, model);
    } else {
      model.reason = Refusal::invalid_topic;
    }
    compare(report, model);
  }
}

void ContestState::patient(const Operation& operation) {
  if (is_paused(operation.numbers[0])) return;
  Paused fan_out;
  begin(make_message(operation.numbers[0], operation.numbers[1], operation.numbers[2]), fan_out);
  proceed(fan_out, kRoutes, true);
  proceed(fan_out, kRoutes, false);
  expect_that(fan_out.real.finished(), "the fan-out did not finish");
}

void ContestState::paused(const Operation& operation) {
  if (is_paused(operation.numbers[0]) || paused_.size() == 3) return;
  Paused& fan_out = paused_.emplace_back();
  begin(make_message(operation.numbers[0], operation.numbers[1], operation.numbers[2]), fan_out);
  proceed(fan_out, operation.numbers[3], false);
  if (fan_out.real.finished()) paused_.pop_back();
}

void ContestState::resume(const Operation& operation) {
  if (paused_.empty()) return;
  const auto which =
      paused_.begin() + static_cast<std::ptrdiff_t>(operation.numbers[0] % paused_.size());
  proceed(*which, kRoutes, false);
  expect_that(which->real.finished(), "the fan-out did not finish");
  paused_.erase(which);
}

void ContestState::loan(const Operation& operation) {
  Contestant& contestant = contestants_[operation.numbers[0] % kRoutes];
  if (!contestant.model || is_paused(operation.numbers[1])) return;
  TakenMessage message = make_message(operation.numbers[1], 0, operation.numbers[2]);
  broker::Route& route = real(contestant);
  auto loan = route.reserve(message.principal, message.payload.size(), message.topic.size());
  const bool lendable = !contestant.model->closed() &&
                        message.payload.size() + message.topic.size() <= contestant.budget;
  expect_same("lent", loan.has_value(), lendable);
  if (!loan) return;
  const auto filled = bytes_of(message.payload);
  std::copy(filled.begin(), filled.end(), loan->payload.begin());
  if (operation.numbers[3] == 0) {
    route.cancel(*loan);
    return;
  }
  message.sequence = next_sequence_++;
  expect_same("sequence", delivery_.take_sequence(), message.sequence);
  const broker::PushOutcome outcome =
      route.commit(message.principal, *loan, stamp_of(message), message.topic);
  route.move_doorbell();
  std::atomic_thread_fence(std::memory_order_seq_cst);
  route.settle();
  PublishReport report;
  model_push(contestant, message, report);
  expect_same("refusal of the loan", outcome.refusal, report.reason);
  expect_same("evicted by the loan", outcome.evicted, report.evicted);
}

}  // namespace fairlead::test
