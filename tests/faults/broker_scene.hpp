// The daemon, with guests that attach, subscribe, publish, drain and leave.
#pragma once

#include "outcome.hpp"

namespace fairlead::test {

class BrokerScene : public Scene {
 public:
  /// `succeeds`: it takes over from a broker that was killed, and its guests come back.
  explicit BrokerScene(bool succeeds = false) : succeeds_(succeeds) {}

  [[nodiscard]] std::string name() const override { return succeeds_ ? "successor" : "broker"; }
  Outcome run(TraceOptions trial, const Strictness& strictness) override;

 private:
  const bool succeeds_;
};

}  // namespace fairlead::test
