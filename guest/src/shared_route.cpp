#include <fairlead/guest/shared_route.hpp>

#include <fcntl.h>

#include <array>
#include <charconv>
#include <cstdint>

#include <fairlead/shm/error.hpp>

namespace fairlead::guest {
namespace {

// Four descriptors (-1 where there is none), then the sizes, separated by colons.
constexpr std::size_t kNumbers = 10;
using Numbers = std::array<std::int64_t, kNumbers>;

Numbers numbers_in(std::string_view text) {
  Numbers numbers{};
  const char* at = text.data();
  const char* end = at + text.size();
  for (std::size_t i = 0; i < kNumbers; ++i) {
    const auto parsed = std::from_chars(at, end, numbers[i]);
    at = parsed.ptr;
    const bool separated = i + 1 == kNumbers ? at == end : at != end && *at == ':';
    if (parsed.ec != std::errc() || !separated) {
      throw Error(
          ErrorCode::invalid_argument,
          "'" + std::string(text) + "' is not what SharedRoute::let_children_inherit() gave");
    }
    ++at;
  }
  return numbers;
}

shm::UniqueFd take_over(std::int64_t number) {
  const auto descriptor = static_cast<int>(number);
  if (number < 0) return {};
  if (number != descriptor || ::fcntl(descriptor, F_SETFD, FD_CLOEXEC) != 0) {
    throw Error(ErrorCode::invalid_argument,
                "descriptor " + std::to_string(number) + " of a shared route was not inherited");
  }
  return shm::UniqueFd(descriptor);
}

}  // namespace

std::string SharedRoute::let_children_inherit() const {
  std::string text;
  for (const shm::UniqueFd* descriptor : {&route, &cursors, &wake_up, &connection}) {
    if (descriptor->valid() && ::fcntl(descriptor->get(), F_SETFD, 0) != 0) {
      throw_system("cannot let children inherit a route");
    }
    text += std::to_string(descriptor->get()) + ":";
  }
  return text + std::to_string(route_segment_bytes) + ":" + std::to_string(cursor_segment_bytes) +
         ":" + std::to_string(subscription) + ":" + std::to_string(lane_capacity) + ":" +
         std::to_string(hold_slots) + ":" + (sealed ? "1" : "0");
}

SharedRoute SharedRoute::from_text(std::string_view text) {
  const Numbers numbers = numbers_in(text);
  SharedRoute shared;
  shared.route = take_over(numbers[0]);
  shared.cursors = take_over(numbers[1]);
  shared.wake_up = take_over(numbers[2]);
  shared.connection = take_over(numbers[3]);
  shared.route_segment_bytes = static_cast<std::uint64_t>(numbers[4]);
  shared.cursor_segment_bytes = static_cast<std::uint64_t>(numbers[5]);
  shared.subscription = static_cast<std::uint64_t>(numbers[6]);
  shared.lane_capacity = static_cast<std::uint32_t>(numbers[7]);
  shared.hold_slots = static_cast<std::uint32_t>(numbers[8]);
  shared.sealed = numbers[9] != 0;
  return shared;
}

}  // namespace fairlead::guest
