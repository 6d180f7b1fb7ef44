#include "actors.hpp"

#include <chrono>
#include <utility>

namespace fairlead::killing {
namespace {

// What waits for it has 30 s.
constexpr std::chrono::seconds kReceiptTime{20};

std::string sentence_of(const std::exception& exception) {
  const auto* error = dynamic_cast<const Error*>(&exception);
  return (error != nullptr ? std::string(to_string(error->code())) + ": " : "") + exception.what();
}

}  // namespace

// ---- broker -------------------------------------------------------------------------------------

Reply BrokerActor::perform(const Step& step) noexcept {
  Reply reply;
  try {
    switch (step.verb) {
      case Verb::start: {
        broker::BrokerOptions options;
        options.name = place_.broker;
        options.socket_path = place_.socket_path;
        broker_ = std::make_unique<broker::Broker>(options);
        broker_->start();
        break;
      }
      case Verb::publish: {
        const std::string name = principal_name(step);
        for (std::uint32_t each = 0; each < step.count; ++each) {
          const broker::PublishReport report =
              broker_->publish(name, kTopic, payload_of(name, step.number + each, step.bytes));
          reply.matched += report.matched;
          reply.taken += report.taken;
        }
        reply.acknowledged = true;
        break;
      }
      case Verb::stop:
        broker_.reset();
        break;
      default:
        reply.error = "a broker cannot do that";
    }
  } catch (const std::exception& error) {
    reply.error = sentence_of(error);
  }
  return reply;
}

// ---- guest --------------------------------------------------------------------------------------

void GuestActor::attach(const Step& step) {
  guest_ =
      guest::Guest::attach({.socket_path = place_.socket_path, .principal = principal_name(step)});
}

void GuestActor::subscribe(const RouteShape& shape) {
  subscription_ = guest_->subscribe(
      kPattern, {.admission = shm::AdmissionKind::all,
                 .eviction = shape.eviction,
                 .budget_bytes = shape.budget_bytes,
                 .cap_bytes = shape.cap_bytes,
                 .lanes = 64,
                 .backing = shape.sealed ? guest::Backing::sealed : guest::Backing::named,
                 .staged = shape.staged,
                 .descriptor = shape.descriptor});
}

void GuestActor::join(guest::SharedRoute shared) {
  subscription_ = guest::Subscription::from_descriptors(std::move(shared));
}

void GuestActor::send(const Step& step, Reply& reply) {
  if (!publisher_) publisher_ = guest_->publisher({.ring_bytes = 8 * 1024});
  const guest::PublishOutcome outcome =
      publisher_->publish(kTopic, payload_of(principal_name(step), step.number, step.bytes),
                          {.wait_for_receipt = kReceiptTime});
  reply.matched = outcome.matched;
  reply.taken = outcome.taken;
  reply.acknowledged = outcome.status == guest::PublishStatus::acknowledged;
  if (reply.acknowledged || outcome.status == guest::PublishStatus::disconnected) return;
  reply.error = "publish: " + std::string(to_string(outcome.status));
}

void GuestActor::drain(const Step& step, Reply& reply) {
  guest::Batch batch = step.bytes != 0 ? subscription_->drain(step.bytes) : subscription_->drain();
  reply.outcome = to_string(batch.outcome());
  reply.ended_loss = batch.ended_loss().messages;
  for (const guest::Message& each : batch) {
    reply.messages.push_back({std::string(each.principal()), std::string(each.topic()),
                              std::string(each.text()), each.sequence(), each.lost_messages()});
  }
  if (!batch.empty()) batches_.push_back(std::move(batch));
}

void GuestActor::forget_route() {
  kept_.clear();
  batches_.clear();
  subscription_.reset();
}

Reply GuestActor::perform(const Step& step) noexcept {
  Reply reply;
  try {
    switch (step.verb) {
      case Verb::attach:
        attach(step);
        break;
      case Verb::subscribe:
        if (!guest_) break;
        subscribe(step.shape);
        reply.acknowledged = true;
        break;
      case Verb::send:
        if (guest_) send(step, reply);
        break;
      case Verb::open_gate:
        if (!guest_) break;
        guest_->open_gate();
        reply.acknowledged = true;
        break;
      case Verb::unsubscribe:
        kept_.clear();
        batches_.clear();
        // It is gone also when the broker cannot be told.
        if (auto ending = std::exchange(subscription_, std::nullopt))
          guest_->unsubscribe(std::move(*ending));
        break;
      case Verb::leave:
        forget_route();
        publisher_.reset();
        guest_.reset();
        break;
      case Verb::drain:
        if (subscription_) drain(step, reply);
        break;
      case Verb::keep:
        if (!subscription_ || batches_.empty()) break;
        if (auto kept = subscription_->keep(batches_.back().front()))
          kept_.push_back(std::move(*kept));
        break;
      case Verb::release:
        kept_.clear();
        batches_.clear();
        break;
      default:
        reply.error = "a guest cannot do that";
    }
  } catch (const std::exception& error) {
    reply.error = sentence_of(error);
  }
  return reply;
}

}  // namespace fairlead::killing
