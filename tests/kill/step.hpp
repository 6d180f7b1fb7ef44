// What somebody in a scenario does, and what came of it, as plain values that cross processes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <fairlead/shm/layout/route_layout.hpp>

namespace fairlead::killing {

enum class Actor : std::uint8_t { broker, guest, bystander, worker };
enum class Verb : std::uint8_t {
  // broker
  start,
  publish,  // as its host
  stop,
  succeed,  // the broker so far is killed; the victim is the next one
  // guest or bystander
  attach,
  subscribe,
  send,  // out of its outbox
  open_gate,
  unsubscribe,
  leave,
  // those and worker
  drain,
  keep,     // a message of the newest batch
  release,  // all batches, and what was kept
  join,     // worker: takes the guest's route on
};

[[nodiscard]] const char* to_string(Actor actor) noexcept;
[[nodiscard]] const char* to_string(Verb verb) noexcept;

/// How a route is asked for.
struct RouteShape {
  shm::EvictionPolicy eviction = shm::EvictionPolicy::oldest_head;
  std::uint64_t budget_bytes = 64 * 1024;
  std::uint64_t cap_bytes = 0;
  bool sealed = false;
  bool descriptor = false;
  bool staged = false;
};

struct Step {
  Actor actor = Actor::broker;
  Verb verb = Verb::start;
  std::uint32_t principal = 0;  // publish: which one
  std::uint32_t number = 0;     // publish, send: the first message's, filled in when it is done
  std::uint32_t bytes = 0;      // publish, send: of the payload, at least; drain: the budget
  std::uint32_t count = 1;      // publish: how many
  RouteShape shape{};           // subscribe

  [[nodiscard]] std::string frame() const;
  [[nodiscard]] static Step from_frame(const std::string& frame);
};

struct Taken {
  std::string principal;
  std::string topic;
  std::string payload;
  std::uint64_t sequence = 0;
  std::uint64_t lost_messages = 0;  // right before it
};

struct Reply {
  bool alive = true;    // whoever did it lived to tell
  std::string error{};  // the sentence of an Error
  std::uint32_t matched = 0;
  std::uint32_t taken = 0;
  bool acknowledged = false;
  std::string outcome{};  // of a drain
  std::vector<Taken> messages{};
  std::uint64_t ended_loss = 0;

  [[nodiscard]] std::string frame() const;
  [[nodiscard]] static Reply from_frame(const std::string& frame);
};

inline constexpr const char* kTopic = "t.m";
inline constexpr const char* kPattern = "t.*";

/// "p0", "p1", ... of the host; what guests publish as themselves is under their actor's name.
[[nodiscard]] std::string principal_name(const Step& step);
/// Exactly what message `number` of that principal holds.
[[nodiscard]] std::string payload_of(const std::string& principal, std::uint32_t number,
                                     std::uint32_t bytes);

}  // namespace fairlead::killing
