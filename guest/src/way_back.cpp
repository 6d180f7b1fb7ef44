#include "way_back.hpp"

#include <array>
#include <cstddef>
#include <mutex>
#include <optional>
#include <span>
#include <utility>

#include <fairlead/shm/control_socket.hpp>

#include "deadline.hpp"
#include "inherited_descriptor.hpp"
#include "keeper_protocol.hpp"

namespace fairlead::guest {
namespace {

using shm::ReceiveOutcome;

// One conversation for all guests of this process.
std::mutex keepers_mutex;

/// The keeper's answer, if there is one before the deadline.
std::optional<shm::UniqueFd> read_answer(int keeper, SteadyTime deadline) {
  std::array<std::byte, 1> answer{};
  auto received = shm::receive_packet_until(keeper, answer, 1, deadline);
  if (received.outcome != ReceiveOutcome::received) return std::nullopt;
  const bool connected =
      answer[0] == keeper_protocol::kConnected && received.descriptors.size() == 1;
  return connected ? std::move(received.descriptors.front()) : shm::UniqueFd();
}

}  // namespace

shm::UniqueFd connect_by_keeper(int keeper, std::chrono::nanoseconds timeout) {
  const SteadyTime deadline = deadline_after(timeout);
  const std::lock_guard guard(keepers_mutex);
  // The answer to a question that somebody gave up on is as good as ours.
  while (auto late = read_answer(keeper, SteadyTime::min())) {
    if (*late) return std::move(*late);
  }
  const std::array<std::byte, 1> question{keeper_protocol::kConnectMe};
  if (shm::send_packet(keeper, question) != shm::SendOutcome::sent) return {};
  auto answer = read_answer(keeper, deadline);
  return answer ? std::move(*answer) : shm::UniqueFd();
}

WayBack find_way_back(const AttachOptions& options) {
  if (options.resume_for <= std::chrono::nanoseconds(0)) return {};
  if (options.reconnect) return options.reconnect;
  if (options.descriptor) return {};
  if (!options.socket_path.empty()) {
    return [path = options.socket_path](std::chrono::nanoseconds timeout) {
      return shm::connect_control(path, timeout);
    };
  }
  const int keeper = find_keeper_descriptor();
  if (keeper < 0) return {};
  return [keeper](std::chrono::nanoseconds timeout) { return connect_by_keeper(keeper, timeout); };
}

}  // namespace fairlead::guest
