#include "next_broker.hpp"

#include <unistd.h>

#include <fairlead/shm/segment_name.hpp>

#include "ledger.hpp"

namespace fairlead::killing {

void serve_with_next_broker(const Place& place, std::uint64_t newest_sequence,
                            const Complain& complain) {
  // A broker that stops in order takes its numbers with it.
  if (files_of(place).empty()) newest_sequence = 0;
  BrokerActor next(place);
  GuestActor guest(place);
  Ledger ledger;
  bool well = true;
  const auto must = [&](const Reply& reply) {
    if (reply.error.empty()) return reply;
    complain("with the next broker: " + reply.error + "; ");
    well = false;
    return reply;
  };
  must(next.perform({.verb = Verb::start}));
  if (!well) return;
  must(guest.perform({.actor = Actor::guest, .verb = Verb::attach}));
  must(guest.perform({.actor = Actor::guest, .verb = Verb::subscribe}));
  if (!well) return;
  for (std::uint32_t number = 1; number <= 2; ++number) {
    must(next.perform({.verb = Verb::publish, .number = number, .bytes = 40}));
    ledger.published("p0", number, 40, Certainty::certain);
  }
  const Reply drained = must(guest.perform({.actor = Actor::guest, .verb = Verb::drain}));
  ledger.taken(drained);
  if (const std::string sentence = ledger.settle(); !sentence.empty())
    complain("with the next broker: " + sentence);
  if (!drained.messages.empty() && drained.messages.front().sequence <= newest_sequence)
    complain("the next broker gives sequence numbers again; ");
  check_dump({.broker = place.broker, .lives = true}, complain);
  guest.perform({.actor = Actor::guest, .verb = Verb::leave});
  next.perform({.verb = Verb::stop});
}

std::vector<std::string> files_of(const Place& place) {
  std::vector<std::string> files;
  for (const shm::ListedSegment& listed : shm::list_segments()) {
    if (listed.file.starts_with("fairlead." + place.broker + '.')) files.push_back(listed.file);
  }
  return files;
}

std::string remove_what_is_left(const Place& place) {
  std::string sentence;
  for (const std::string& file : files_of(place)) {
    sentence += "left: " + file + "; ";
    ::unlink(shm::segment_path(file).c_str());
  }
  if (::unlink(place.socket_path.c_str()) == 0) sentence += "left: the socket; ";
  return sentence;
}

}  // namespace fairlead::killing
