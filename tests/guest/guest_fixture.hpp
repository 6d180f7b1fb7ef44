// What the tests of the guest have in common.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <fairlead/guest/guest.hpp>

#include "support/expect_error.hpp"
#include "support/fake_broker.hpp"

namespace fairlead::guest {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::expect_error;
using test::FakeBroker;
using test::FakeRoute;
using test::FakeSession;

inline AttachOptions over(shm::UniqueFd descriptor,
                          std::chrono::nanoseconds timeout = seconds(30)) {
  AttachOptions options;
  options.descriptor = std::move(descriptor);
  options.timeout = timeout;
  return options;
}

inline Guest attach_to(FakeBroker& broker, std::chrono::nanoseconds timeout = seconds(30)) {
  return Guest::attach(over(broker.connect(), timeout));
}

inline std::vector<std::string> texts(const Batch& batch) {
  std::vector<std::string> found;
  for (const Message& message : batch) found.emplace_back(message.text());
  return found;
}

/// A guest with one subscription at a broker that does as the test says.
struct Subscribed {
  explicit Subscribed(SubscribeOptions options = {})
      : guest(attach_to(broker)), subscription(guest.subscribe("a.*", std::move(options))) {}

  FakeRoute& route() { return broker.route(0); }

  FakeBroker broker;
  Guest guest;
  Subscription subscription;
};

/// The thread sanitizer takes a mutex that was spoilt, or whose owner was killed, for our mistake.
#if defined(__SANITIZE_THREAD__)
inline constexpr bool kMutexesAreWatched = true;
#else
inline constexpr bool kMutexesAreWatched = false;
#endif

// So that failures say a word instead of a number.
inline void PrintTo(DrainOutcome outcome, std::ostream* out) { *out << to_string(outcome); }
inline void PrintTo(WaitOutcome outcome, std::ostream* out) { *out << to_string(outcome); }
inline void PrintTo(PublishStatus status, std::ostream* out) { *out << to_string(status); }

}  // namespace fairlead::guest
