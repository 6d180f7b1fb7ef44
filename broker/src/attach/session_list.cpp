// For the dump tool: sealed segments have no name, so it asks for them.
#include <unistd.h>

#include "attach/packet.hpp"
#include "attach/peer_process.hpp"
#include "attach/session.hpp"

namespace fairlead::broker {

namespace control = shm::control;

namespace {

// Segments hold everybody's messages. Our own uid is not enough: a guest of that uid in a sandbox
// must not see others'. Who shares our namespaces could read named segments and our memory anyway.
// It is the process that connected: not one that got its pid after it.
bool may_see_everything(const shm::UniqueFd& process, const shm::PeerCredentials& asker,
                        std::string& sentence) {
  if (asker.uid != ::geteuid()) {
    sentence = "only the broker's own user may list sealed segments";
    return false;
  }
  const PeerFacts facts = gather_facts_of(process, asker.pid, asker.uid);
  if (facts.process_namespace != Separation::shared ||
      facts.mount_namespace != Separation::shared) {
    sentence = "sealed segments are not listed for processes in a sandbox";
    return false;
  }
  return true;
}

}  // namespace

void Session::on_list_sealed(const control::Plain& packet) {
  if (listing_) return violate("asked for a second list before the first was at its end");
  costly_ = true;
  std::string sentence;
  if (!may_see_everything(connector_process_, connector_, sentence))
    return refuse_attach(packet.header.request, ErrorCode::denied, sentence);
  listing_ = true;
  list_request_ = packet.header.request;
  {
    const std::lock_guard lock(state_.mutex);
    for (const auto& [id, owned] : state_.routes) {
      if (!owned.sealed) continue;
      listed_.push_back(
          {shm::SegmentKind::route, id, state_.delivery.find(id)->identity().subscription});
    }
    for (const auto& [id, guest] : state_.guests) {
      const Outbox* outbox = state_.outboxes.find(id);
      if (outbox == nullptr || outbox->receipt_memory.backing() != shm::Backing::sealed) continue;
      listed_.push_back({shm::SegmentKind::receipt, id, 0});
    }
  }
  send_listed();
}

// One at a time: the next when the asker has the last, so that few are in flight.
void Session::send_listed() {
  while (listing_ && unacknowledged_.empty() && !over()) {
    if (listed_.empty()) {
      listing_ = false;
      return answer_done(list_request_);
    }
    {
      const std::lock_guard lock(state_.mutex);
      if (state_.descriptors_in_flight >= state_.policy->broker().descriptors_in_flight) return;
    }
    const ListedSegment next = listed_.front();
    listed_.pop_front();
    if (send_one_listed(next)) return;
  }
}

// False when it has gone meanwhile.
bool Session::send_one_listed(const ListedSegment& listed) {
  auto packet = make_packet<control::SealedSegment>(control::Kind::sealed_segment, list_request_);
  packet.kind = listed.kind;
  shm::UniqueFd descriptor;
  try {
    const std::lock_guard lock(state_.mutex);
    const shm::Segment* segment = nullptr;
    if (listed.kind == shm::SegmentKind::route) {
      const auto id = static_cast<RouteId>(listed.owner);
      Route* route = state_.delivery.find(id);
      if (route == nullptr || route->identity().subscription != listed.subscription) return false;
      packet.id = route->identity().route_id;
      segment = &state_.routes[id].memory->segment().segment();
    } else {
      const Outbox* outbox = state_.outboxes.find(listed.owner);
      if (outbox == nullptr) return false;
      packet.id = outbox->owner.outbox_id;
      segment = &outbox->receipt_memory;
    }
    packet.bytes = segment->size();
    descriptor = segment->read_only_descriptor();
  } catch (const Error& error) {
    listed_.clear();
    listing_ = false;
    refuse_attach(list_request_, error.code(), error.what());
    return true;
  }
  if (send_with(bytes_of(packet), list_request_, {descriptor.get()}) == Sent::too_many_descriptors)
    leave(Farewell::stopping, "could not be sent a segment: too many descriptors in flight");
  return true;
}

}  // namespace fairlead::broker
