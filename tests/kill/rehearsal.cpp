#include "rehearsal.hpp"

#include <unistd.h>

#include <map>

#include <fairlead/shm/segment_name.hpp>

#include "puppet.hpp"

namespace fairlead::killing {

Rehearsal rehearse(const Scenario& scenario, const Place& place) {
  Rehearsal rehearsal;
  rehearsal.log = &StoreLog::make();
  Puppet puppet(place, PointKind::stores, 0, rehearsal.log);
  puppet.arm();
  std::vector<Step> steps = scenario.before;
  steps.insert(steps.end(), scenario.traced.begin(), scenario.traced.end());
  std::map<std::string, std::uint32_t> numbers;
  for (Step step : steps) {
    if (step.actor == Actor::worker && step.verb != Verb::join) step.actor = Actor::guest;
    if (step.actor != Actor::broker && step.actor != Actor::guest) continue;
    if (step.verb == Verb::join) continue;
    if (step.verb == Verb::publish || step.verb == Verb::send) {
      step.number = numbers[principal_name(step)] + 1;
      numbers[principal_name(step)] += step.count;
    }
    Act act{.step = step, .reply = {}, .begin = rehearsal.log->size(), .end = 0};
    act.reply = puppet.perform(step);
    act.end = rehearsal.log->size();
    if (!act.reply.alive) rehearsal.complaints += "it died; ";
    if (!act.reply.error.empty()) rehearsal.complaints += act.reply.error + "; ";
    rehearsal.acts.push_back(std::move(act));
  }
  (void)puppet.disarm();
  puppet.finish();
  for (const shm::ListedSegment& listed : shm::list_segments()) {
    if (listed.file.starts_with("fairlead." + place.broker + '.'))
      ::unlink(shm::segment_path(listed.file).c_str());
  }
  return rehearsal;
}

}  // namespace fairlead::killing
