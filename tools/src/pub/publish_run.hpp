// Publishes one message after the other without waiting for each receipt, and collects the
// receipts.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <fairlead/guest/guest.hpp>

#include "io/broker_watch.hpp"
#include "io/stop_signals.hpp"
#include "pub/publish_tally.hpp"

namespace fairlead::tools {

class PublishRun {
 public:
  struct Options {
    std::string topic;
    std::chrono::nanoseconds block{0};     // R21
    std::chrono::nanoseconds interval{0};  // between two messages, on average
    std::chrono::nanoseconds resume{0};    // how long the broker may be away
  };

  /// All outlive the run.
  PublishRun(guest::Guest& guest, const StopSignals& signals, BrokerWatch& broker, Options options);

  /// Paces, then publishes; does nothing once a signal has come. Throws Error when the broker is
  /// gone, or the message can never be published.
  void publish(std::string_view payload);
  /// To be called while there is nothing to publish. Throws Error disconnected when the broker is
  /// gone for good.
  void expect_broker();
  /// Waits for the receipts that are out. Throws Error when they do not come.
  void finish();

  [[nodiscard]] const PublishTally& tally() const noexcept { return tally_; }

 private:
  void pace();
  void harvest();
  [[nodiscard]] guest::PublishOutcome publish_once(guest::Publisher& publisher,
                                                   std::string_view payload);
  guest::Publisher& publisher(std::uint64_t first_bytes);

  guest::Guest& guest_;
  const StopSignals& signals_;
  BrokerWatch& broker_;
  Options options_;
  std::optional<guest::Publisher> publisher_;
  PublishTally tally_;
  std::uint64_t settled_ = 0;  // numbers up to here are in the tally
  std::chrono::steady_clock::time_point next_;
  std::chrono::steady_clock::time_point looked_{};
};

}  // namespace fairlead::tools
