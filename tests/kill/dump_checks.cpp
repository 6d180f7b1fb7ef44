#include "dump_checks.hpp"

#include <fairlead/shm/clock.hpp>

#include "dump/machine_reader.hpp"

namespace fairlead::killing {
namespace {

namespace dump = tools::dump;
using dump::Verdict;

dump::MachineDump read_dump(const DumpQuestion& question) {
  dump::MachineOptions options;
  options.directory = question.directory;
  options.broker = question.broker;
  options.ask_brokers = question.lives;
  options.monotonic_now_ns = shm::monotonic_ns();
  if (!question.lives)
    options.process = [](std::uint32_t, std::uint64_t) { return dump::ProcessState::gone; };
  return dump::read_machine(options);
}

// What stands in the middle of a change is said to be so.
bool may_be(Verdict verdict, const DumpQuestion& question) {
  switch (verdict) {
    case Verdict::ok:
    case Verdict::unavailable:  // also of a guest that has not come back yet
      return true;
    case Verdict::torn:
    case Verdict::not_ready:
      return !question.lives;
    case Verdict::missing:
      return question.sweeps;
    default:
      return false;
  }
}

void check_segment(const dump::SegmentDump& segment, const DumpQuestion& question,
                   const Complain& complain) {
  const std::string name = segment.file.empty() ? "a sealed segment" : segment.file;
  if (!may_be(segment.verdict, question)) {
    complain("dump says of " + name + ": " + std::string(to_string(segment.verdict)));
    for (const std::string& problem : segment.problems) complain(problem);
  }
  const dump::RouteDump* route = segment.route();
  if (route != nullptr && route->messages.known && !(route->messages.holds && route->bytes.holds))
    complain("R30 does not hold in " + name);
}

}  // namespace

void check_dump(const DumpQuestion& question, const Complain& complain) {
  const dump::MachineDump machine = read_dump(question);
  for (const dump::BrokerDump& broker : machine.brokers) {
    if (broker.table_segment) check_segment(*broker.table_segment, question, complain);
    for (const dump::SegmentDump& segment : broker.segments)
      check_segment(segment, question, complain);
  }
  for (const dump::StrayDump& stray : machine.strays) complain("stray " + stray.file);
}

std::uint64_t held_bytes(const std::string& broker) {
  std::uint64_t sum = 0;
  for (const dump::BrokerDump& each : read_dump({.broker = broker, .lives = true}).brokers) {
    for (const dump::SegmentDump& segment : each.segments) {
      if (const dump::RouteDump* route = segment.route()) sum += route->held_bytes;
    }
  }
  return sum;
}

}  // namespace fairlead::killing
