#include "dump/render_route.hpp"

#include <algorithm>
#include <limits>

#include <fairlead/shm/principal.hpp>

#include "text/aligned_table.hpp"
#include "text/names.hpp"
#include "text/printable.hpp"

namespace fairlead::tools::dump {
namespace {

std::string number(std::uint64_t value) { return std::to_string(value); }

void append_line(std::string& out, std::string_view label, const std::string& text) {
  std::string line = "    ";
  line += label;
  line.resize(15, ' ');
  out += line + text + '\n';
}

std::string gate_text(const EntryDump* entry) {
  if (entry == nullptr) return "";
  if (entry->gate == 0) return ", gate open";
  if (entry->gate == std::numeric_limits<std::uint64_t>::max()) return ", gate closed (staged)";
  return ", gate open from message " + number(entry->gate);
}

std::string sum_text(const SumDump& sum, const Paint& paint) {
  std::string text = "published " + number(sum.published) + " = delivered " +
                     number(sum.delivered) + " + queued " + number(sum.queued) + " + evicted " +
                     number(sum.evicted) + "  ";
  if (!sum.known) return text + paint.doubtful("not known (torn)");
  return text + (sum.holds ? paint.good("holds") : paint.bad("DOES NOT HOLD"));
}

std::string guest_text(const shm::RouteIdentity& identity) {
  std::string text = "uid " + number(identity.guest_user);
  if (identity.guest_process != 0) text += ", process " + number(identity.guest_process);
  return text + ", capsule " + to_string(identity.capsule);
}

std::string entry_text(const EntryDump& entry) {
  std::string text = "guest " + number(entry.guest) + ", charged to " +
                     printable(shm::displayed_principal(entry.payer));
  if (entry.claimed_epoch != 0) text += ", has epoch " + number(entry.claimed_epoch);
  return text;
}

std::string away_text(const RouteDump& route) {
  return "its guest is away: " + number(route.messages.queued) +
         (route.messages.queued == 1 ? " message waits" : " messages wait") + " for it here";
}

std::string restart_text(const RouteDump& route) {
  return "last messages of " + number(route.carried_pushes) + " outboxes known from before, " +
         number(route.duplicates_dropped) + " sent again and dropped";
}

std::string memory_text(const RouteDump& route) {
  return bytes_text(route.used_bytes) + " used, " + bytes_text(route.held_bytes) + " of it held (" +
         number(route.held_messages) + " messages), " + bytes_text(route.free_bytes) + " free of " +
         bytes_text(route.arena_bytes);
}

std::string loss_text(const RouteDump& route) {
  std::string text =
      number(route.messages.evicted) + " messages, " + bytes_text(route.bytes.evicted);
  if (route.ended_lost_messages == 0) return text;
  return text + "; " + number(route.ended_lost_messages) + " of them (" +
         bytes_text(route.ended_lost_bytes) +
         ") with lanes that ended: " + std::string(name_of(route.ended_reason)) +
         ", last sequence " + number(route.ended_last_sequence);
}

std::string refusal_text(const RouteDump& route) {
  std::string text = number(route.refused);
  const char* before = ": ";
  for (std::size_t reason = 1; reason < route.refused_by_reason.size(); ++reason) {
    if (route.refused_by_reason[reason] == 0) continue;
    text += before + std::string(name_of(static_cast<shm::Refusal>(reason))) + ' ' +
            number(route.refused_by_reason[reason]);
    before = ", ";
  }
  return text;
}

std::string guests_word(const CursorDump& cursors) {
  return number(cursors.held_messages) + " messages held, " + number(cursors.batches_out) +
         " batches out, " + number(cursors.holds_taken) + " kept, " + number(cursors.waits) +
         " waits";
}

std::vector<const LaneDump*> fullest_first(const RouteDump& route) {
  std::vector<const LaneDump*> lanes;
  for (const LaneDump& lane : route.lanes) lanes.push_back(&lane);
  std::stable_sort(lanes.begin(), lanes.end(), [](const LaneDump* a, const LaneDump* b) {
    return a->queued_bytes > b->queued_bytes;
  });
  return lanes;
}

std::string lane_name(const LaneDump& lane) {
  return lane.principal ? printable(shm::displayed_principal(*lane.principal)) : "?";
}

void append_lanes(std::string& out, const RouteDump& route, const TextOptions& options) {
  if (route.lanes.empty()) return;
  using Align = AlignedTable::Align;
  AlignedTable table({{.title = "principal", .align = Align::left, .widest = 28},
                      {.title = "depth"},
                      {.title = "bytes"},
                      {.title = "head age"},
                      {.title = "published"},
                      {.title = "lost"},
                      {.title = "refused"},
                      {.title = "most"},
                      {.title = "most bytes"}});
  const auto lanes = fullest_first(route);
  const std::size_t shown = std::min(options.most_lanes, lanes.size());
  for (std::size_t index = 0; index < shown; ++index) {
    const LaneDump& lane = *lanes[index];
    table.add({lane_name(lane), number(lane.depth), bytes_text(lane.queued_bytes),
               lane.head_age_ns ? duration_text(*lane.head_age_ns) : "-", number(lane.published),
               number(lane.evicted), number(lane.refused), number(lane.queued_high_water),
               bytes_text(lane.queued_bytes_high_water)});
  }
  if (shown > 0) out += table.text(4);
  if (shown < lanes.size()) {
    out += "    and " + number(lanes.size() - shown) + " lanes more\n";
  }
}

void append_content(std::string& out, const BrokerDump& broker, const SegmentDump& segment,
                    const RouteDump& route, const TextOptions& options) {
  const shm::RouteIdentity& identity = route.identity;
  const EntryDump* entry = broker.entry_of(segment);
  append_line(out, "guest", guest_text(identity));
  if (entry != nullptr) append_line(out, "entry", entry_text(*entry));
  if (entry != nullptr && entry->interim) {
    append_line(out, "away", options.paint.doubtful(away_text(route)));
  }
  append_line(out, "boundary", std::string(name_of(identity.boundary)));
  append_line(out, "state",
              std::string(name_of(route.state)) +
                  (route.state == shm::RouteState::poisoned
                       ? " (" + std::string(name_of(route.poison_reason)) + ")"
                       : "") +
                  ", admits " +
                  admission_text(identity.admission, identity.admitted_principal.view()) +
                  gate_text(entry) + ", policy " + std::string(name_of(identity.eviction)));
  append_line(out, "queued",
              number(route.messages.queued) + " messages, " + bytes_text(route.bytes.queued) +
                  " of a budget of " + bytes_text(identity.budget_bytes) + "; at most " +
                  number(route.queued_high_water) + ", " +
                  bytes_text(route.queued_bytes_high_water));
  append_line(out, "memory", memory_text(route));
  append_line(out, "messages", sum_text(route.messages, options.paint));
  append_line(out, "bytes", sum_text(route.bytes, options.paint));
  append_line(out, "lost", loss_text(route));
  append_line(out, "refused", refusal_text(route));
  if (route.carried_pushes != 0 || route.duplicates_dropped != 0) {
    append_line(out, "restart", restart_text(route));
  }
  append_line(
      out, "lanes",
      number(route.active_lanes) + " in use, at most " + number(route.active_lanes_high_water) +
          " of " + number(identity.lane_capacity) +
          (route.consistency == Consistency::by_part ? "; read one part after another" : ""));
}

}  // namespace

std::string place_text(const SegmentDump& segment) {
  std::string text = segment.backing == shm::Backing::sealed ? "sealed" : printable(segment.file);
  if (segment.file_bytes == 0) return text;
  text += ", " + bytes_text(segment.file_bytes);
  if (segment.maximum_bytes > segment.file_bytes) {
    text += " of " + bytes_text(segment.maximum_bytes);
  }
  return text;
}

std::string leftover_text(const BrokerDump& broker, const SegmentDump& segment) {
  if (broker.epoch == 0 || segment.epoch == broker.epoch) return "";
  const std::string epoch = number(segment.epoch);
  return broker.is_drained_first(segment) ? "  (of epoch " + epoch + ": its guest drains it first)"
                                          : "  (left by epoch " + epoch + ')';
}

void append_problems(std::string& out, const SegmentDump& segment, const Paint& paint,
                     std::size_t indent) {
  if (segment.verdict == Verdict::ok) return;
  std::string label(to_string(segment.verdict));
  const bool mild = segment.verdict == Verdict::unavailable || segment.verdict == Verdict::torn;
  for (const std::string& problem : segment.problems) {
    out += std::string(indent, ' ') + (mild ? paint.doubtful(label) : paint.bad(label)) +
           (label.empty() ? "" : ": ") + printable(problem) + '\n';
    label.clear();
  }
}

void append_route(std::string& out, const BrokerDump& broker, const SegmentDump& segment,
                  const SegmentDump* cursors, const TextOptions& options) {
  const RouteDump* route = segment.route();
  const EntryDump* entry = broker.entry_of(segment);
  const shm::RouteIdentity* identity =
      route != nullptr ? &route->identity : (entry != nullptr ? &entry->identity : nullptr);
  out += "\n  " + options.paint.bold("route " + number(segment.id));
  if (identity != nullptr) {
    out += "  " + shortened(printable(identity->pattern.view()), 50) + "  of " +
           printable(shm::displayed_principal(identity->owner.view()));
  }
  out += leftover_text(broker, segment) + '\n';
  append_line(out, "segment", place_text(segment));
  append_problems(out, segment, options.paint, 15);
  if (route == nullptr) return;
  append_content(out, broker, segment, *route, options);
  if (cursors != nullptr) {
    if (const auto* guests = std::get_if<CursorDump>(&cursors->content)) {
      append_line(out, "guest says", guests_word(*guests));
    }
  }
  append_lanes(out, *route, options);
}

}  // namespace fairlead::tools::dump
