// The daemon, with guests that attach, subscribe, publish, drain and leave.
#pragma once

#include "outcome.hpp"

namespace fairlead::test {

class BrokerScene : public Scene {
 public:
  [[nodiscard]] std::string name() const override { return "broker"; }
  Outcome run(TraceOptions trial, const Strictness& strictness) override;
};

}  // namespace fairlead::test
