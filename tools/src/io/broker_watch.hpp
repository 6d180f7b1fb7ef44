// Tells people when the broker is away and when it is back (R34). The guest library does the rest.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include <fairlead/guest/guest.hpp>

namespace fairlead::tools {

class BrokerWatch {
 public:
  /// `quiet`: says nothing. The guest outlives it.
  BrokerWatch(guest::Guest& guest, std::string program, std::chrono::nanoseconds resume_for,
              bool quiet);

  /// To be called now and then when there is nothing else to do: also comes back.
  guest::Presence look();

 private:
  void say(const std::string& sentence) const;

  guest::Guest& guest_;
  std::string program_;
  std::chrono::nanoseconds resume_for_;
  bool quiet_;
  bool away_ = false;
  std::uint64_t epoch_;
};

}  // namespace fairlead::tools
