// Those who act in a scenario, through the libraries as any program would. Steps never throw.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fairlead/broker/broker.hpp>
#include <fairlead/guest/guest.hpp>

#include "step.hpp"

namespace fairlead::killing {

/// Where a scenario takes place: what broker and guests have to agree on.
struct Place {
  std::string broker;
  std::string socket_path;
};

class BrokerActor {
 public:
  explicit BrokerActor(const Place& place) : place_(place) {}
  Reply perform(const Step& step) noexcept;
  [[nodiscard]] broker::Broker& broker() noexcept { return *broker_; }

 private:
  Place place_;
  std::unique_ptr<broker::Broker> broker_;
};

class GuestActor {
 public:
  explicit GuestActor(const Place& place) : place_(place) {}
  Reply perform(const Step& step) noexcept;

  /// For a worker.
  [[nodiscard]] guest::SharedRoute share() const { return subscription_->share(); }
  void join(guest::SharedRoute shared);
  [[nodiscard]] bool subscribed() const noexcept { return subscription_.has_value(); }
  [[nodiscard]] guest::Subscription& subscription() noexcept { return *subscription_; }
  void forget_route();  // as if it had died, for this process

 private:
  void attach(const Step& step);
  void subscribe(const RouteShape& shape);
  void send(const Step& step, Reply& reply);
  void drain(const Step& step, Reply& reply);

  Place place_;
  std::optional<guest::Guest> guest_;
  std::optional<guest::Publisher> publisher_;
  std::optional<guest::Subscription> subscription_;
  std::vector<guest::Batch> batches_;
  std::vector<guest::Kept> kept_;
};

}  // namespace fairlead::killing
