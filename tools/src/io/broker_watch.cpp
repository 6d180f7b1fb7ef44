#include "io/broker_watch.hpp"

#include <utility>

#include "program.hpp"
#include "text/printable.hpp"

namespace fairlead::tools {

using guest::Presence;

BrokerWatch::BrokerWatch(guest::Guest& guest, std::string program,
                         std::chrono::nanoseconds resume_for, bool quiet)
    : guest_(guest),
      program_(std::move(program)),
      resume_for_(resume_for),
      quiet_(quiet),
      epoch_(guest.welcome().epoch) {}

Presence BrokerWatch::look() {
  const Presence presence = guest_.presence();
  switch (presence) {
    case Presence::attached:
      // It may have been away and back between two looks.
      if (const std::uint64_t epoch = guest_.welcome().epoch; epoch != epoch_) {
        say("the broker is back, in epoch " + std::to_string(epoch));
        epoch_ = epoch;
      }
      away_ = false;
      break;
    case Presence::away:
      if (!away_) {
        say("the broker is away; looking for it for " +
            duration_text(static_cast<std::uint64_t>(resume_for_.count())));
      }
      away_ = true;
      break;
    case Presence::lost:
      break;
  }
  return presence;
}

void BrokerWatch::say(const std::string& sentence) const {
  if (!quiet_) report(program_, sentence);
}

}  // namespace fairlead::tools
