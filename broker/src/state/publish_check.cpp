// Whether a guest may publish this message, and what the log says if not.
#include <fairlead/broker/permissions.hpp>
#include <fairlead/shm/principal.hpp>
#include <fairlead/shm/topic.hpp>

#include "policy/refusals.hpp"
#include "state/broker_state.hpp"

namespace fairlead::broker {

namespace {

std::string sentence_of(Refusal refusal, const Guest& guest, std::string_view topic,
                        std::uint64_t payload_bytes) {
  const PrincipalRule& rule = *guest.rule;
  const std::uint64_t bytes = payload_bytes + topic.size();
  switch (refusal) {
    case Refusal::invalid_topic:
      return refusals::bad_topic(topic, shm::check_topic(topic));
    case Refusal::larger_than_limit:
      return refusals::payload_too_large(payload_bytes);
    case Refusal::not_permitted:
      return refusals::may_not_publish(guest.principal, topic);
    default:
      break;
  }
  return bytes > rule.publish_burst_bytes
             ? refusals::larger_than_burst(bytes, rule.publish_burst_bytes)
             : refusals::publish_rate(guest.principal, rule.publish_rate_bytes_per_second);
}

}  // namespace

Refusal BrokerState::check(const OutboxOwner& owner, std::string_view topic,
                           std::uint64_t payload_bytes, std::uint64_t now, bool again) noexcept {
  Guest* guest = find_guest(owner.guest);
  if (guest == nullptr) return Refusal::not_permitted;
  const bool free = again && !guest->sent_again;  // its rate was paid to the last broker
  const Refusal refusal = judge(*guest, topic, payload_bytes, now, free);
  guest->sent_again = guest->sent_again || (free && refusal == Refusal::none);
  if (refusal != Refusal::none) tell_once(*guest, refusal, topic, payload_bytes);
  return refusal;
}

Refusal BrokerState::judge(const Guest& guest, std::string_view topic, std::uint64_t payload_bytes,
                           std::uint64_t now, bool again) noexcept {
  if (shm::check_topic(topic) != shm::TopicProblem::none) return Refusal::invalid_topic;
  if (payload_bytes > shm::kMaximumInlinePayloadBytes) return Refusal::larger_than_limit;
  if (!may_publish(*guest.rule, topic)) return Refusal::not_permitted;
  if (again) return Refusal::none;
  const RateOutcome rate = publish_rates_.take(guest.capsule, guest.payer, *guest.rule,
                                               payload_bytes + topic.size(), now);
  return rate == RateOutcome::within ? Refusal::none : Refusal::rate_limited;
}

// A receipt has room for the reason only. The words go to the log, once for each guest and reason:
// one that publishes nonsense as fast as it can must not fill it.
void BrokerState::tell_once(Guest& guest, Refusal refusal, std::string_view topic,
                            std::uint64_t payload_bytes) noexcept {
  const std::uint32_t reason = 1U << static_cast<std::uint32_t>(refusal);
  if ((guest.told_refusals & reason) != 0) return;
  guest.told_refusals |= reason;
  try {
    log.add({.level = LogLevel::info,
             .message = "guest " + std::to_string(guest.id) + " of " +
                        std::string(shm::displayed_principal(guest.principal)) +
                        ": refused a publish, and will not tell of others like it: " +
                        sentence_of(refusal, guest, topic, payload_bytes),
             .source = log_source(guest.pinned, guest.peer.uid),
             .principal = guest.principal,
             .has_principal = true,
             .guest = guest.id});
  } catch (...) {
    // No memory for a line of the log.
  }
}

}  // namespace fairlead::broker
