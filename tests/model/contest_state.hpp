// Both sides of a contest: the real delivery core and the reference model.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "contest.hpp"
#include "delivery/delivery.hpp"
#include "reference_route.hpp"

namespace fairlead::test {

/// The two sides said different things.
class Difference final : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

template <class T, class U>
void expect_same(const char* what, const T& real, const U& model) {
  if (real == static_cast<T>(model)) return;
  throw Difference(std::string(what) + ": " + std::to_string(static_cast<std::uint64_t>(real)) +
                   ", the model says " + std::to_string(static_cast<std::uint64_t>(model)));
}
inline void expect_that(bool holds, const std::string& what) {
  if (!holds) throw Difference(what);
}

class ContestState {
 public:
  ContestState(RouteDriver& driver, const ContestOptions& options);
  ~ContestState();
  ContestState(const ContestState&) = delete;
  ContestState& operator=(const ContestState&) = delete;

  // Throw Difference.
  void run(const Operation& operation);
  void check_counters();
  /// Takes and gives back everything, and looks for what is left over.
  void finish();

  [[nodiscard]] std::uint64_t publishes() const noexcept { return publishes_; }
  [[nodiscard]] std::uint64_t delivered() const noexcept { return delivered_; }
  [[nodiscard]] std::uint64_t evicted() const noexcept { return evicted_; }

 private:
  struct Batch {
    std::uint32_t number;
    std::vector<TakenMessage> messages;
  };
  struct Held {
    std::uint32_t number;
    TakenMessage message;
  };
  struct Contestant {
    std::unique_ptr<RouteEnds> ends;  // outlives the real route
    broker::RouteId id = 0;
    std::uint64_t subscription = 0;
    std::uint32_t lanes = 0;
    std::uint64_t budget = 0;
    std::unique_ptr<ReferenceRoute> model;
    std::vector<Batch> batches;
    std::vector<Held> held;
    [[nodiscard]] std::uint64_t held_messages() const;
  };
  struct Paused {
    broker::FanOut real;
    TakenMessage message;
    std::vector<std::uint64_t> subscriptions;  // in the order of the fan-out
    std::size_t next = 0;
    broker::PublishReport report;
  };

  // Publishing (contest_publish.cpp).
  void publish(const Operation& operation);
  void patient(const Operation& operation);
  void paused(const Operation& operation);
  void resume(const Operation& operation);
  void loan(const Operation& operation);
  [[nodiscard]] TakenMessage make_message(std::uint64_t principal, std::uint64_t topic,
                                          std::uint64_t bytes);
  [[nodiscard]] bool is_paused(std::uint64_t principal) const;
  void begin(const TakenMessage& message, Paused& fan_out);
  void proceed(Paused& fan_out, std::size_t most, bool stop_when_full);
  void model_push(Contestant& contestant, const TakenMessage& message,
                  broker::PublishReport& report);
  void name_slot(Contestant& contestant, const std::string& principal);
  static void compare(const broker::PublishReport& real, const broker::PublishReport& model);

  // Routes and draining (contest_state.cpp, contest_checks.cpp).
  void attach(const Operation& operation);
  void detach(Contestant& contestant);
  void drain(Contestant& contestant, std::uint64_t byte_budget, std::uint64_t most);
  void take(Contestant& contestant, std::uint64_t times);
  void release(Contestant& contestant, std::uint64_t which);
  void hold(Contestant& contestant, std::uint64_t batch, std::uint64_t message);
  void release_hold(Contestant& contestant, std::uint64_t which);
  void maintain(Contestant& contestant);
  void run_on_route(const Operation& operation, Contestant& contestant);
  void check_counters(Contestant& contestant);
  void check_lanes(Contestant& contestant);
  void check_nothing_left(Contestant& contestant);
  [[nodiscard]] broker::Route& real(const Contestant& contestant);
  [[nodiscard]] Contestant* find(std::uint64_t subscription);

  RouteDriver& driver_;
  ContestOptions options_;
  broker::Delivery delivery_{1};
  std::shared_ptr<broker::Gate> gates_[kGates];
  ReferenceGate model_gates_[kGates];
  Contestant contestants_[kRoutes];
  std::deque<Paused> paused_;
  std::uint64_t next_sequence_ = 1;
  std::uint64_t subscriptions_ = 0;
  std::uint64_t publishes_ = 0;
  std::uint64_t delivered_ = 0;
  std::uint64_t evicted_ = 0;
};

}  // namespace fairlead::test
