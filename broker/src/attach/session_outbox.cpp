// The outbox of an attached guest.
#include <algorithm>
#include <cstring>

#include <fairlead/shm/principal.hpp>
#include <fairlead/shm/uuid.hpp>

#include "attach/outbox_memory.hpp"
#include "attach/packet.hpp"
#include "attach/session.hpp"
#include "policy/limits_of.hpp"
#include "policy/refusals.hpp"

namespace fairlead::broker {

namespace control = shm::control;

namespace {

/// Never used again, in no life of any broker: readers tell publishers apart by it.
std::uint64_t make_outbox_id() {
  std::uint64_t id = 0;
  const shm::Uuid random = shm::make_random_uuid();
  std::memcpy(&id, random.bytes.data(), sizeof id);
  return id == 0 ? 1 : id;
}

}  // namespace

// With the mutex held.
void Session::describe_outbox(const Guest& guest, std::uint64_t id, OutboxPlan& plan) const {
  plan.owner = {guest.id, guest.principal, guest.capsule, id};
  plan.backing = choose_backing(guest, control::BackingWish::automatic);
  plan.identity.capsule = guest.capsule;
  plan.identity.route_id = id;
  plan.identity.guest_user = guest.user;
  plan.identity.guest_process = static_cast<std::uint32_t>(guest.process);
  plan.identity.boundary = judge_boundary(guest.facts, plan.backing).boundary;
  plan.identity.owner.assign(guest.principal);
}

bool Session::plan_outbox(const control::OpenOutbox& packet, OutboxPlan& plan) {
  ErrorCode code = ErrorCode::limit;
  std::string sentence;
  {
    const std::lock_guard lock(state_.mutex);
    Guest& guest = *state_.find_guest(guest_);
    plan.ring_bytes = outbox_ring_bytes(packet.ring_bytes);
    // One of an earlier epoch that its guest does not know of: the answer was lost with its broker.
    if (!guest.outbox_settled && state_.outboxes.find(guest_) == nullptr)
      state_.forget_outbox(guest);
    if (guest.outbox_slot) {
      sentence = "this guest has an outbox already: it can have one";
    } else if (guest.rule->publish.patterns().empty()) {
      code = ErrorCode::denied;
      sentence = "principal " + std::string(shm::displayed_principal(guest.principal)) +
                 " may not publish: its policy has no publish patterns";
    } else {
      auto account = state_.quotas.account_of(guest.payer, quota_of(*guest.rule));
      auto charged = account->charge({.descriptors = 2, .outbox_bytes = plan.ring_bytes});
      if (auto* charge = std::get_if<QuotaCharge>(&charged)) {
        plan.charge = std::move(*charge);
        describe_outbox(guest, make_outbox_id(), plan);
        return true;
      }
      code = ErrorCode::quota_exceeded;
      sentence = refusals::quota(std::get<QuotaRefusal>(charged));
    }
  }
  refuse(packet.header.request, code, sentence);
  return false;
}

void Session::on_open_outbox(const control::OpenOutbox& packet) {
  costly_ = true;
  OutboxPlan plan;
  if (plan_outbox(packet, plan)) open_planned(packet.header.request, plan);
}

void Session::open_planned(std::uint64_t request, OutboxPlan& plan) {
  try {
    make_outbox(request, plan);
  } catch (const Error& error) {
    {
      const std::lock_guard lock(state_.mutex);
      plan.charge.release();
    }
    refuse(request, error.code(), error.what());
  } catch (...) {
    const std::lock_guard lock(state_.mutex);
    plan.charge.release();
    throw;
  }
}

void Session::make_outbox(std::uint64_t request, OutboxPlan& plan) {
  NewOutbox made = create_outbox(state_.table.stamp(), plan.owner, plan.ring_bytes, plan.backing,
                                 plan.first_number);
  if (plan.resumed) made.outbox->resumed_at = plan.first_number;
  auto answer = make_packet<control::OutboxOpened>(control::Kind::outbox_opened, request);
  answer.outbox = plan.owner.outbox_id;
  answer.ring_bytes = plan.ring_bytes;
  answer.outbox_segment_bytes = made.outbox->memory.size();
  answer.receipt_segment_bytes = made.outbox->receipt_memory.size();
  const bool sealed = plan.backing == shm::Backing::sealed;
  const std::string name = sealed ? std::string() : made.outbox->receipt_memory.name();
  {
    const std::lock_guard lock(state_.mutex);
    Guest& guest = *state_.find_guest(guest_);
    const auto slot = state_.table.add({.kind = shm::SegmentKind::outbox,
                                        .guest = guest.id,
                                        .sealed = sealed,
                                        .identity = plan.identity,
                                        .segment = name,
                                        .payer = guest.payer,
                                        .resume_token = guest.token});
    if (!slot) throw Error(ErrorCode::out_of_memory, "no room in the broker's table");
    try {
      state_.outboxes.add(std::move(made.outbox));
    } catch (...) {
      state_.table.erase(*slot);
      throw;
    }
    if (guest.outbox_slot) state_.table.erase(*guest.outbox_slot);  // of the earlier epoch
    guest.outbox_slot = *slot;
    guest.outbox_id = plan.owner.outbox_id;
    guest.outbox_charge = std::move(plan.charge);
  }
  log(LogLevel::info, (plan.resumed ? "came back for its outbox, of " : "opened an outbox of ") +
                          std::to_string(plan.ring_bytes) + " bytes");
  const Sent sent =
      send_with(bytes_of(answer), request, {made.guest_outbox.get(), made.guest_receipts.get()});
  outbox_request_ = request;
  if (sent != Sent::too_many_descriptors) return;
  // Without its descriptors the outbox is of no use, and a guest has only one.
  leave(Farewell::stopping, "could not be sent its outbox: too many descriptors in flight");
}

// Every packet is one.
void Session::on_kick(const control::Plain&) {}

// A guest whose socket is full leaves the kick out: what it sent before wakes us up as well.
void Session::wake_outbox() {
  const std::lock_guard lock(state_.mutex);
  state_.outboxes.kicked(guest_);
}

}  // namespace fairlead::broker
