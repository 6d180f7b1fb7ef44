#include "step.hpp"

#include "support/channel.hpp"

namespace fairlead::killing {

const char* to_string(Actor actor) noexcept {
  constexpr const char* kNames[] = {"broker", "guest", "bystander", "worker"};
  return kNames[static_cast<std::size_t>(actor)];
}

const char* to_string(Verb verb) noexcept {
  constexpr const char* kNames[] = {"start",     "publish", "stop",      "succeed",     "attach",
                                    "subscribe", "send",    "open_gate", "unsubscribe", "leave",
                                    "drain",     "keep",    "release",   "join"};
  return kNames[static_cast<std::size_t>(verb)];
}

std::string Step::frame() const {
  return test::FrameWriter()
      .number(static_cast<std::uint64_t>(actor))
      .number(static_cast<std::uint64_t>(verb))
      .number(principal)
      .number(number)
      .number(bytes)
      .number(count)
      .number(static_cast<std::uint64_t>(shape.eviction))
      .number(shape.budget_bytes)
      .number(shape.cap_bytes)
      .number(shape.sealed ? 1 : 0)
      .number(shape.descriptor ? 1 : 0)
      .number(shape.staged ? 1 : 0)
      .frame();
}

Step Step::from_frame(const std::string& frame) {
  test::FrameReader reader(frame);
  Step step;
  step.actor = static_cast<Actor>(reader.number());
  step.verb = static_cast<Verb>(reader.number());
  step.principal = static_cast<std::uint32_t>(reader.number());
  step.number = static_cast<std::uint32_t>(reader.number());
  step.bytes = static_cast<std::uint32_t>(reader.number());
  step.count = static_cast<std::uint32_t>(reader.number());
  step.shape.eviction = static_cast<shm::EvictionPolicy>(reader.number());
  step.shape.budget_bytes = reader.number();
  step.shape.cap_bytes = reader.number();
  step.shape.sealed = reader.number() != 0;
  step.shape.descriptor = reader.number() != 0;
  step.shape.staged = reader.number() != 0;
  return step;
}

std::string Reply::frame() const {
  test::FrameWriter writer;
  writer.text(error)
      .number(matched)
      .number(taken)
      .number(acknowledged ? 1 : 0)
      .text(outcome)
      .number(ended_loss)
      .number(messages.size());
  for (const Taken& each : messages) {
    writer.text(each.principal)
        .text(each.topic)
        .text(each.payload)
        .number(each.sequence)
        .number(each.lost_messages);
  }
  return writer.frame();
}

Reply Reply::from_frame(const std::string& frame) {
  test::FrameReader reader(frame);
  Reply reply;
  reply.error = reader.text();
  reply.matched = static_cast<std::uint32_t>(reader.number());
  reply.taken = static_cast<std::uint32_t>(reader.number());
  reply.acknowledged = reader.number() != 0;
  reply.outcome = reader.text();
  reply.ended_loss = reader.number();
  for (std::uint64_t left = reader.number(); left > 0; --left) {
    Taken& each = reply.messages.emplace_back();
    each.principal = reader.text();
    each.topic = reader.text();
    each.payload = reader.text();
    each.sequence = reader.number();
    each.lost_messages = reader.number();
  }
  return reply;
}

std::string principal_name(const Step& step) {
  if (step.verb == Verb::publish) return "p" + std::to_string(step.principal);
  return to_string(step.actor);
}

std::string payload_of(const std::string& principal, std::uint32_t number, std::uint32_t bytes) {
  std::string text = principal + '#' + std::to_string(number) + '#';
  while (text.size() < bytes) text += static_cast<char>('a' + (number + text.size()) % 26);
  return text;
}

}  // namespace fairlead::killing
