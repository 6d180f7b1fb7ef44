#include "sub/subscription_printer.hpp"

#include <poll.h>

#include <algorithm>
#include <array>

#include <fairlead/shm/error.hpp>

#include "program.hpp"

namespace fairlead::tools {

using guest::Batch;
using guest::DrainOutcome;
using Clock = std::chrono::steady_clock;

namespace {

constexpr const char* kName = "fairlead sub";
// Subscription::descriptor() asks for a look now and then.
constexpr auto kLongestPoll = std::chrono::seconds(30);
// The broker says why right after it has ended a route; one that is stopped says nothing.
constexpr auto kWordsTakeAtMost = std::chrono::seconds(2);

Clock::time_point deadline_of(const std::optional<std::chrono::nanoseconds>& timeout) {
  return timeout ? Clock::now() + *timeout : Clock::time_point::max();
}

}  // namespace

SubscriptionPrinter::SubscriptionPrinter(guest::Subscription& subscription, Output& output,
                                         const StopSignals& signals, BrokerWatch& broker,
                                         Options options)
    : subscription_(subscription),
      output_(output),
      signals_(signals),
      broker_(broker),
      options_(options),
      deadline_(deadline_of(options.timeout)) {}

SubscriptionPrinter::End SubscriptionPrinter::run() {
  for (;;) {
    if (signals_.received() != 0) return End::signalled;
    const Batch batch = subscription_.drain();
    if (!print(batch)) return End::reader_gone;
    if (options_.count && messages_ == *options_.count) return End::counted;
    switch (batch.outcome()) {
      case DrainOutcome::messages:
        // A stream without a pause must not outlast the time-out.
        if (Clock::now() >= deadline_) return End::timed_out;
        break;
      case DrainOutcome::empty:
        (void)broker_.look();
        if (const auto end = wait()) return *end;
        break;
      default:
        throw_end(batch.outcome());
    }
  }
}

bool SubscriptionPrinter::print(const Batch& batch) {
  buffer_.clear();
  const ClockPair clocks = ClockPair::now();
  for (const guest::Message& message : batch) {
    if (options_.count && messages_ == *options_.count) break;
    append_message(buffer_, options_.format, message, clocks);
    ++messages_;
    bytes_ += message.payload().size();
    if (message.lost_messages() == 0) continue;
    lost_messages_ += message.lost_messages();
    if (options_.format != MessageFormat::json) report(kName, loss_sentence(message));
  }
  tell_loss(batch.ended_loss());
  return buffer_.empty() || output_.write(buffer_);
}

void SubscriptionPrinter::tell_loss(const guest::EndedLoss& loss) {
  if (loss.messages == 0) return;
  lost_messages_ += loss.messages;
  if (options_.format == MessageFormat::json) {
    append_ended_loss(buffer_, loss);
  } else {
    report(kName, loss_sentence(loss));
  }
}

std::optional<SubscriptionPrinter::End> SubscriptionPrinter::wait() {
  const auto now = Clock::now();
  if (now >= deadline_) return End::timed_out;
  const auto left = std::min<Clock::duration>(deadline_ - now, kLongestPoll);
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
  const timespec time{seconds.count(), static_cast<long>((left - seconds).count())};
  // Standard output is watched for its reader's end only.
  std::array<pollfd, 3> entries = {{{subscription_.descriptor(), POLLIN, 0},
                                    {signals_.descriptor(), POLLIN, 0},
                                    {output_.descriptor(), 0, 0}}};
  if (::ppoll(entries.data(), entries.size(), &time, nullptr) > 0 &&
      (entries[2].revents & POLLERR) != 0) {
    return End::reader_gone;
  }
  return std::nullopt;
}

void SubscriptionPrinter::throw_end(DrainOutcome outcome) const {
  const auto end = subscription_.end(kWordsTakeAtMost);
  const std::string why = end && !end->sentence.empty() ? ": " + end->sentence : "";
  switch (outcome) {
    case DrainOutcome::closed:
      throw Error(ErrorCode::disconnected, "the broker ended the route" + why);
    case DrainOutcome::poisoned:
      throw Error(ErrorCode::corrupt, "the broker gave the route up" + why);
    case DrainOutcome::disconnected:
      throw Error(ErrorCode::disconnected, "the broker is gone");
    default:
      throw Error(ErrorCode::corrupt,
                  "the route cannot be read: " + std::string(to_string(outcome)));
  }
}

std::string SubscriptionPrinter::summary() const {
  return std::to_string(messages_) + (messages_ == 1 ? " message (" : " messages (") +
         std::to_string(bytes_) + (bytes_ == 1 ? " byte), " : " bytes), ") +
         std::to_string(lost_messages_) + " lost";
}

}  // namespace fairlead::tools
