#include "dump/render_text.hpp"

#include <algorithm>

#include <fairlead/shm/principal.hpp>

#include "dump/render_route.hpp"
#include "text/printable.hpp"

namespace fairlead::tools::dump {
namespace {

std::string count_text(std::size_t count, const char* singular, const char* plural) {
  return std::to_string(count) + ' ' + (count == 1 ? singular : plural);
}

std::string state_text(const BrokerDump& broker, const Paint& paint) {
  const std::string word(to_string(broker.state));
  switch (broker.state) {
    case BrokerState::running:
      return paint.good(word);
    case BrokerState::dead:
      return paint.bad(word);
    case BrokerState::handed_over:
      return paint.doubtful("handed over");
    case BrokerState::stopped:
    case BrokerState::unknown:
      break;
  }
  return paint.doubtful(word == "unknown" ? "in an unknown state" : word);
}

std::string broker_heading(const BrokerDump& broker, const Paint& paint) {
  std::string line = paint.bold("broker " + broker.name) + ": " + state_text(broker, paint);
  if (broker.process != 0) {
    line += ", process " + std::to_string(broker.process) +
            (broker.elsewhere ? " of another PID namespace" : "") + ", epoch " +
            std::to_string(broker.epoch);
  }
  return line + ", uid " + std::to_string(broker.user) + '\n';
}

void append_table(std::string& out, const BrokerDump& broker, const Paint& paint) {
  if (!broker.table_segment) {
    out += "  " + paint.doubtful("no table: only what its segments say of themselves is known");
    out += '\n';
    return;
  }
  out += "  table      " + place_text(*broker.table_segment) + '\n';
  append_problems(out, *broker.table_segment, paint, 13);
  if (!broker.table) return;
  out += "             " + count_text(broker.table->entries.size(), "live entry", "live entries") +
         ", socket " +
         (broker.table->socket_path.empty() ? "none" : printable(broker.table->socket_path)) + '\n';
  if (broker.table->grace_ns != 0 && !broker.table->entries.empty() &&
      (broker.state == BrokerState::handed_over || broker.state == BrokerState::dead)) {
    out += "  waits      for the next broker of its name, under which guests have " +
           std::to_string(broker.table->grace_ns / 1'000'000'000) + " s at most to come back\n";
  }
  const bool sealed = std::any_of(broker.table->entries.begin(), broker.table->entries.end(),
                                  [](const EntryDump& entry) { return entry.sealed; });
  if (sealed && !broker.sealed_note.empty()) {
    out += "  sealed     not shown: " + printable(broker.sealed_note) + '\n';
  }
}

const SegmentDump* cursors_of(const BrokerDump& broker, const SegmentDump& route) noexcept {
  const auto found =
      std::find_if(broker.segments.begin(), broker.segments.end(), [&](const SegmentDump& segment) {
        return segment.kind == shm::SegmentKind::cursor && segment.id == route.id &&
               segment.epoch == route.epoch;
      });
  return found == broker.segments.end() ? nullptr : &*found;
}

const SegmentDump* outbox_of(const BrokerDump& broker, const SegmentDump& receipts) noexcept {
  const auto found =
      std::find_if(broker.segments.begin(), broker.segments.end(), [&](const SegmentDump& segment) {
        return segment.kind == shm::SegmentKind::outbox && segment.id == receipts.id &&
               segment.epoch == receipts.epoch;
      });
  return found == broker.segments.end() ? nullptr : &*found;
}

void append_receipts(std::string& out, const BrokerDump& broker, const SegmentDump& segment,
                     const Paint& paint) {
  out += "\n  " + paint.bold("outbox " + std::to_string(segment.id));
  if (const EntryDump* entry = broker.entry_of(segment)) {
    out += "  of " + std::string(shm::displayed_principal(entry->identity.owner.view()));
  }
  out += leftover_text(broker, segment) + '\n';
  out += "    receipts   " + place_text(segment) + '\n';
  append_problems(out, segment, paint, 15);
  const auto* receipts = std::get_if<ReceiptDump>(&segment.content);
  if (receipts == nullptr) return;
  out += "    accepted   " + std::to_string(receipts->accepted_messages) + " messages, " +
         bytes_text(receipts->accepted_bytes) + " of ring space; ring of " +
         bytes_text(receipts->ring_bytes) + (receipts->broker_asleep ? ", the broker sleeps" : "") +
         '\n';
  const SegmentDump* outbox = outbox_of(broker, segment);
  if (outbox == nullptr) return;
  const auto* written = std::get_if<OutboxDump>(&outbox->content);
  if (written == nullptr) return;
  const std::uint64_t waiting = written->written_bytes - receipts->accepted_bytes;
  out += "    waiting    " +
         (waiting <= receipts->ring_bytes ? bytes_text(waiting)
                                          : "the guest's word for it makes no sense") +
         '\n';
}

// What has no route or receipts to stand with: pools, and what lost its companion.
void append_other(std::string& out, const BrokerDump& broker, const SegmentDump& segment,
                  const Paint& paint) {
  out += "\n  " +
         paint.bold(std::string(to_string(segment.kind)) + ' ' + std::to_string(segment.id)) +
         leftover_text(broker, segment) + '\n';
  out += "    segment    " + place_text(segment) + '\n';
  append_problems(out, segment, paint, 15);
}

bool stands_with_another(const BrokerDump& broker, const SegmentDump& segment) {
  const auto companion = [&](shm::SegmentKind kind) {
    return std::any_of(broker.segments.begin(), broker.segments.end(), [&](const auto& other) {
      return other.kind == kind && other.id == segment.id && other.epoch == segment.epoch;
    });
  };
  if (segment.verdict != Verdict::ok) return false;
  if (segment.kind == shm::SegmentKind::cursor) return companion(shm::SegmentKind::route);
  if (segment.kind == shm::SegmentKind::outbox) return companion(shm::SegmentKind::receipt);
  return false;
}

void append_broker(std::string& out, const BrokerDump& broker, const TextOptions& options) {
  out += broker_heading(broker, options.paint);
  append_table(out, broker, options.paint);
  for (const SegmentDump& segment : broker.segments) {
    if (segment.kind == shm::SegmentKind::route) {
      append_route(out, broker, segment, cursors_of(broker, segment), options);
    } else if (segment.kind == shm::SegmentKind::receipt) {
      append_receipts(out, broker, segment, options.paint);
    } else if (!stands_with_another(broker, segment)) {
      append_other(out, broker, segment, options.paint);
    }
  }
  out += '\n';
}

}  // namespace

std::string render_text(const MachineDump& machine, const TextOptions& options) {
  std::string out;
  for (const BrokerDump& broker : machine.brokers) append_broker(out, broker, options);
  for (const StrayDump& stray : machine.strays) {
    out += options.paint.bold("stray ") + printable(stray.file) + ": " +
           options.paint.bad(stray.sentence) + '\n';
  }
  const std::size_t problems = machine.problems();
  if (machine.brokers.empty()) {
    out += "no broker has a segment in " + printable(machine.directory) + '\n';
  }
  if (problems > 0) {
    out += options.paint.bad(count_text(problems, "problem", "problems")) + " in " +
           printable(machine.directory) + '\n';
  }
  return out;
}

}  // namespace fairlead::tools::dump
