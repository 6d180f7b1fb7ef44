// A broker that hands over to the next one of its name in the same process, and guests that come
// back to it by hand.
#pragma once

#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "support/test_broker.hpp"

namespace fairlead::test {

class Returning : public testing::Test {
 protected:
  explicit Returning(std::function<void(broker::BrokerOptions&)> tweak = {},
                     std::string policy = {})
      : broker_({.policy = std::move(policy), .listening = true, .tweak = std::move(tweak)}) {}

  struct Attached {
    std::unique_ptr<RawGuest> guest;
    shm::control::Welcome welcome{};
  };
  [[nodiscard]] Attached attach(const shm::control::Welcome* before = nullptr,
                                std::string_view principal = "alice") {
    Attached attached;
    attached.guest = std::make_unique<RawGuest>(broker_.socket_path());
    auto hello = attached.guest->hello_packet(principal);
    if (before != nullptr)
      std::memcpy(hello.resume_token, before->resume_token, sizeof hello.resume_token);
    attached.guest->send(hello);
    const Reply reply = attached.guest->receive();
    EXPECT_EQ(reply.kind(), shm::control::Kind::welcome);
    attached.welcome = reply.as<shm::control::Welcome>();
    return attached;
  }

  // Everything but the acknowledgement.
  [[nodiscard]] static std::unique_ptr<RawRoute> ask_for(RawGuest& guest,
                                                         std::uint64_t subscription) {
    auto packet = guest.packet<shm::control::ResumeRoute>(shm::control::Kind::resume_route);
    packet.subscription = subscription;
    guest.send(packet);
    Reply reply = guest.receive();
    if (reply.kind() == shm::control::Kind::refused) return nullptr;
    return std::make_unique<RawRoute>(reply.as<shm::control::Subscribed>(),
                                      std::move(reply.descriptors));
  }
  [[nodiscard]] static std::unique_ptr<RawRoute> resume(RawGuest& guest,
                                                        std::uint64_t subscription) {
    auto route = ask_for(guest, subscription);
    if (!route) return nullptr;
    guest.acknowledge(guest.request());
    while (route->header().state.load() == shm::RouteState::filling) std::this_thread::yield();
    return route;
  }
  [[nodiscard]] static std::unique_ptr<RawOutbox> resume_outbox(RawGuest& guest,
                                                                const RawOutbox& before,
                                                                std::uint64_t first_number) {
    auto packet = guest.packet<shm::control::ResumeOutbox>(shm::control::Kind::resume_outbox);
    packet.outbox = before.answer.outbox;
    packet.ring_bytes = before.answer.ring_bytes;
    packet.first_number = first_number;
    guest.send(packet);
    Reply reply = guest.receive();
    if (reply.kind() == shm::control::Kind::refused) return nullptr;
    auto outbox = std::make_unique<RawOutbox>(reply.as<shm::control::OutboxOpened>(),
                                              std::move(reply.descriptors));
    guest.acknowledge(packet.header.request);
    return outbox;
  }
  void publish(std::string_view topic, std::string_view text, std::string_view as = "bob") {
    (void)broker_->publish(as, topic, text);
  }

  TestBroker broker_;
};

}  // namespace fairlead::test
