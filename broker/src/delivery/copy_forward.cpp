#include "delivery/copy_forward.hpp"

#include <string>
#include <unordered_map>

#include <fairlead/shm/principal.hpp>
#include <fairlead/shm/topic.hpp>

namespace fairlead::broker {
namespace {

// The segment may have been scribbled on where the boundary is only cooperative.
bool makes_sense(const shm::RemainingMessage& message) noexcept {
  return shm::check_principal(message.principal) == shm::PrincipalProblem::none &&
         shm::check_topic(message.topic) == shm::TopicProblem::none;
}

}  // namespace

CopiedForward copy_forward(const shm::RouteRemains& from, const KnownPushes& already, Route& to) {
  using Loss = shm::RouteWriter::Loss;
  CopiedForward copied;
  std::unordered_map<std::string, Loss> untold;  // of lanes whose first message was a duplicate
  for (const shm::RemainingMessage& message : from.messages()) {
    if (!makes_sense(message)) continue;
    const shm::RecordHeader& record = message.record;
    const shm::MessageStamp stamp{record.sequence, record.published_nanoseconds, record.publisher,
                                  record.publish_number};
    const std::string principal(message.principal);
    if (message.lost_messages > 0) {
      untold[principal] = {message.lost_messages, message.lost_bytes, record.sequence - 1};
    }
    if (already.cover(stamp.publisher, stamp.publish_number)) {
      to.count_duplicate();
      ++copied.duplicates;
      continue;
    }
    const auto before = untold.find(principal);
    if (before != untold.end()) {
      to.begin_after(principal, before->second);
      untold.erase(before);
    }
    const std::uint64_t cost = message.payload.size() + message.topic.size();
    if (to.push(principal, stamp, message.topic, message.payload).taken()) {
      ++copied.messages;
      copied.bytes += cost;
    } else {
      to.add_loss({1, cost, record.sequence}, shm::LossReason::segment_full);
      ++copied.lost;
    }
  }
  for (const auto& [principal, loss] : untold) to.add_loss(loss, shm::LossReason::budget);
  const shm::RouteReader::EndedLoss ended = from.ended_loss();
  to.add_loss({ended.messages, ended.bytes, ended.last_sequence}, ended.reason);
  return copied;
}

}  // namespace fairlead::broker
