// Prints the messages of one subscription until there is a reason to stop.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include <fairlead/guest/subscription.hpp>

#include "io/broker_watch.hpp"
#include "io/output.hpp"
#include "io/stop_signals.hpp"
#include "sub/message_format.hpp"

namespace fairlead::tools {

class SubscriptionPrinter {
 public:
  struct Options {
    MessageFormat format = MessageFormat::text;
    std::optional<std::uint64_t> count{};               // stop after so many
    std::optional<std::chrono::nanoseconds> timeout{};  // stop after so long
  };
  enum class End : std::uint8_t { counted, timed_out, signalled, reader_gone };

  /// The subscription has a descriptor to poll. All outlive the printer.
  SubscriptionPrinter(guest::Subscription& subscription, Output& output, const StopSignals& signals,
                      BrokerWatch& broker, Options options);

  /// Throws Error when the route or the broker ends, or nothing can be written.
  End run();

  /// "12 messages (345 bytes), lost 3".
  [[nodiscard]] std::string summary() const;

 private:
  [[nodiscard]] bool print(const guest::Batch& batch);
  void tell_loss(const guest::EndedLoss& loss);
  [[nodiscard]] std::optional<End> wait();
  [[noreturn]] void throw_end(guest::DrainOutcome outcome) const;

  guest::Subscription& subscription_;
  Output& output_;
  const StopSignals& signals_;
  BrokerWatch& broker_;
  Options options_;
  std::chrono::steady_clock::time_point deadline_;
  std::string buffer_;
  std::uint64_t messages_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t lost_messages_ = 0;
};

}  // namespace fairlead::tools
