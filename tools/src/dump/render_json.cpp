#include "dump/render_json.hpp"

#include <fairlead/shm/principal.hpp>

#include <nlohmann/json.hpp>

#include "text/names.hpp"
#include "text/printable.hpp"

namespace fairlead::tools::dump {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kFormat = 1;

std::string principal_text(std::string_view canonical) {
  return std::string(shm::displayed_principal(canonical));
}

Json sum_json(const SumDump& sum) {
  return {{"published", sum.published}, {"delivered", sum.delivered}, {"queued", sum.queued},
          {"evicted", sum.evicted},     {"known", sum.known},         {"holds", sum.holds}};
}

Json identity_json(const shm::RouteIdentity& identity) {
  return {{"capsule", to_string(identity.capsule)},
          {"subscription", identity.subscription},
          {"pattern", std::string(identity.pattern.view())},
          {"owner", principal_text(identity.owner.view())},
          {"admission", admission_text(identity.admission, identity.admitted_principal.view())},
          {"policy", name_of(identity.eviction)},
          {"boundary", name_of(identity.boundary)},
          {"guest_uid", identity.guest_user},
          {"guest_process", identity.guest_process},
          {"budget_bytes", identity.budget_bytes},
          {"cap_bytes", identity.cap_bytes},
          {"lane_capacity", identity.lane_capacity}};
}

Json lane_json(const LaneDump& lane) {
  Json json = {{"slot", lane.slot},
               {"generation", lane.generation},
               {"principal", nullptr},
               {"depth", lane.depth},
               {"queued_bytes", lane.queued_bytes},
               {"head_age_ns", nullptr},
               {"published", lane.published},
               {"delivered", lane.delivered},
               {"evicted", lane.evicted},
               {"refused", lane.refused},
               {"queued_high_water", lane.queued_high_water},
               {"queued_bytes_high_water", lane.queued_bytes_high_water},
               {"uncovered_visits", lane.uncovered_visits}};
  if (lane.principal) json["principal"] = principal_text(*lane.principal);
  if (lane.head_age_ns) json["head_age_ns"] = *lane.head_age_ns;
  return json;
}

Json refusals_json(const RouteDump& route) {
  Json json = {{"total", route.refused}};
  for (std::size_t reason = 1; reason < route.refused_by_reason.size(); ++reason) {
    if (route.refused_by_reason[reason] == 0) continue;
    json[std::string(name_of(static_cast<shm::Refusal>(reason)))] = route.refused_by_reason[reason];
  }
  return json;
}

Json route_json(const RouteDump& route) {
  Json json = identity_json(route.identity);
  json["state"] = name_of(route.state);
  json["poison_reason"] = name_of(route.poison_reason);
  json["consistency"] = to_string(route.consistency);
  json["messages"] = sum_json(route.messages);
  json["bytes"] = sum_json(route.bytes);
  json["refused"] = refusals_json(route);
  json["held_messages"] = route.held_messages;
  json["duplicates_dropped"] = route.duplicates_dropped;
  json["carried_pushes"] = route.carried_pushes;
  json["queued_high_water"] = route.queued_high_water;
  json["queued_bytes_high_water"] = route.queued_bytes_high_water;
  json["uncovered_visits"] = route.uncovered_visits;
  json["wakes"] = route.wakes;
  json["memory"] = {{"arena_bytes", route.arena_bytes},
                    {"used_bytes", route.used_bytes},
                    {"held_bytes", route.held_bytes},
                    {"free_bytes", route.free_bytes},
                    {"committed_bytes", route.committed_bytes}};
  json["ended_lanes_lost"] = {{"messages", route.ended_lost_messages},
                              {"bytes", route.ended_lost_bytes},
                              {"last_sequence", route.ended_last_sequence},
                              {"reason", name_of(route.ended_reason)}};
  json["active_lanes"] = route.active_lanes;
  json["active_lanes_high_water"] = route.active_lanes_high_water;
  json["lanes"] = Json::array();
  for (const LaneDump& lane : route.lanes) json["lanes"].push_back(lane_json(lane));
  return json;
}

struct ContentJson {
  Json operator()(const std::monostate&) const { return nullptr; }
  Json operator()(const RouteDump& route) const { return route_json(route); }
  Json operator()(const ReceiptDump& receipts) const {
    return {{"outbox", receipts.outbox_id},
            {"ring_bytes", receipts.ring_bytes},
            {"accepted_bytes", receipts.accepted_bytes},
            {"accepted_messages", receipts.accepted_messages},
            {"broker_asleep", receipts.broker_asleep}};
  }
  Json operator()(const OutboxDump& outbox) const {
    return {{"written_bytes", outbox.written_bytes}};
  }
  Json operator()(const CursorDump& cursors) const {
    return {{"held_messages", cursors.held_messages},
            {"batches_out", cursors.batches_out},
            {"holds_taken", cursors.holds_taken},
            {"waits", cursors.waits},
            {"uncovered_visits", cursors.uncovered_visits}};
  }
};

Json entry_json(const EntryDump& entry) {
  return {{"sealed", entry.sealed},
          {"guest_away", entry.interim},
          {"guest", entry.guest},
          {"payer", principal_text(entry.payer)},
          {"claimed_epoch", entry.claimed_epoch},
          {"gate", entry.gate},
          {"owner", principal_text(entry.identity.owner.view())},
          {"pattern", std::string(entry.identity.pattern.view())}};
}

Json segment_json(const SegmentDump& segment, const EntryDump* entry) {
  Json json = {{"file", nullptr},
               {"kind", to_string(segment.kind)},
               {"backing", segment.backing == shm::Backing::sealed ? "sealed" : "named"},
               {"id", segment.id},
               {"epoch", segment.epoch},
               {"verdict", to_string(segment.verdict)},
               {"problems", segment.problems},
               {"file_bytes", segment.file_bytes},
               {"allocated_bytes", segment.allocated_bytes},
               {"maximum_bytes", segment.maximum_bytes},
               {"uid", segment.owner_user},
               {"created", nullptr},
               {"table_entry", nullptr}};
  if (!segment.file.empty()) json["file"] = segment.file;
  if (segment.created_realtime_ns != 0) json["created"] = utc_text(segment.created_realtime_ns);
  if (entry != nullptr) json["table_entry"] = entry_json(*entry);
  Json content = std::visit(ContentJson{}, segment.content);
  if (!content.is_null()) json[std::string(to_string(segment.kind))] = std::move(content);
  return json;
}

Json broker_json(const BrokerDump& broker) {
  Json json = {{"name", broker.name},       {"state", to_string(broker.state)},
               {"process", broker.process}, {"uid", broker.user},
               {"epoch", broker.epoch},     {"socket", nullptr},
               {"table", nullptr},          {"sealed_not_shown", nullptr},
               {"segments", Json::array()}};
  if (broker.table_segment) {
    json["table"] = segment_json(*broker.table_segment, nullptr);
    if (broker.table) {
      json["socket"] = broker.table->socket_path;
      json["table"]["next_sequence"] = broker.table->next_sequence;
      json["table"]["next_subscription"] = broker.table->next_subscription;
      json["table"]["clean_stop"] = broker.table->clean_stop;
      json["table"]["handed_over"] = broker.table->handed_over;
      json["table"]["grace_seconds"] = broker.table->grace_ns / 1'000'000'000;
      json["table"]["live_entries"] = broker.table->entries.size();
    }
  }
  if (!broker.sealed_note.empty()) json["sealed_not_shown"] = broker.sealed_note;
  for (const SegmentDump& segment : broker.segments) {
    json["segments"].push_back(segment_json(segment, broker.entry_of(segment)));
  }
  return json;
}

}  // namespace

std::string render_json(const MachineDump& machine) {
  Json json = {{"format", kFormat},
               {"directory", machine.directory},
               {"taken", utc_text(machine.taken_realtime_ns)},
               {"problems", machine.problems()},
               {"brokers", Json::array()},
               {"strays", Json::array()}};
  for (const BrokerDump& broker : machine.brokers) json["brokers"].push_back(broker_json(broker));
  for (const StrayDump& stray : machine.strays) {
    json["strays"].push_back({{"file", stray.file}, {"sentence", stray.sentence}});
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace fairlead::tools::dump
