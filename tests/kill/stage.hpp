// One performance of a scenario: the victim in a process of its own, all others here.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "actors.hpp"
#include "ledger.hpp"
#include "puppet.hpp"
#include "scenarios.hpp"
#include "support/program.hpp"

namespace fairlead::killing {

/// One per process: its death cleans up. Nothing throws but where the machine is out of something.
class Stage {
 public:
  Stage(const Scenario& scenario, PointKind kind, std::uint64_t kill_at);

  /// True when the victim was killed at its point; false when it lived to the scenario's end (it is
  /// killed then).
  /// A broker that was killed has a successor here by then.
  bool play();

  Reply perform(Step step);
  /// What is there now, without waiting; the outcome of the last, fruitless drain.
  std::string drain_all(Actor which);

  [[nodiscard]] GuestActor& actor(Actor which) noexcept {
    return which == Actor::guest ? guest_ : bystander_;
  }
  [[nodiscard]] Ledger& ledger(Actor which) noexcept { return routes_[which].ledger; }
  /// Whether its route takes what is published next.
  [[nodiscard]] bool admits(Actor which) { return routes_[which].admits; }
  [[nodiscard]] BrokerActor& broker() noexcept { return broker_; }
  [[nodiscard]] const Place& place() const noexcept { return place_; }
  [[nodiscard]] Actor victim() const noexcept { return scenario_.victim; }
  [[nodiscard]] std::uint64_t points() const noexcept { return puppet_->points(); }
  /// What went wrong so far, in sentences.
  void complain(const std::string& sentence);
  [[nodiscard]] const std::string& complaints() const noexcept { return complaints_; }

 private:
  struct RouteRecord {
    bool admits = false;
    Ledger ledger;
  };
  void leave_a_predecessor();
  void join_worker();
  Reply perform_by_broker(const Step& step);
  Reply perform_watching(const Step& step);
  void succeed();
  void take_over();
  void note(const Step& step, const Reply& reply);
  void note_published(const Step& step, const Reply& reply);

  const Scenario& scenario_;
  test::ScratchDirectory directory_;
  Place place_;
  std::unique_ptr<Puppet> puppet_;
  std::unique_ptr<Puppet> predecessor_;  // of a broker that is to succeed it
  BrokerActor broker_;
  GuestActor guest_;
  GuestActor bystander_;
  std::map<Actor, RouteRecord> routes_;
  std::map<std::string, std::uint32_t> numbers_;
  std::string complaints_;
  bool taken_over_ = false;  // the broker is here
  bool stopping_ = false;    // it was killed while it stopped: some routes may have ended
};

}  // namespace fairlead::killing
