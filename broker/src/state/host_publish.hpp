// Publishing by the embedding host.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include <fairlead/broker/broker.hpp>

#include "state/broker_state.hpp"

namespace fairlead::broker {

/// As Broker::publish(). `principal` is canonical.
PublishReport publish_by_host(BrokerState& state, std::string_view principal,
                              std::string_view topic, std::span<const std::byte> payload,
                              PublishOptions options) noexcept;

/// With the mutex held: brings the principal's earlier messages to an end as far as there is room.
/// What is left waits for full routes that a later message must not go into; nothing if all is
/// done.
[[nodiscard]] const FanOut* settle_earlier(BrokerState& state, std::string_view principal);

/// With the mutex held: one publish by the host, without waiting.
PublishReport publish_now(BrokerState& state, std::string_view principal, std::string_view topic,
                          std::span<const std::byte> payload);

}  // namespace fairlead::broker
