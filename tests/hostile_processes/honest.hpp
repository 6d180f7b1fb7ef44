// Guests that do as they should: what they publish is a function of publisher and number, so what
// arrives can be checked byte for byte.
#pragma once

#include <functional>
#include <string>

#include "page.hpp"

namespace fairlead::hostile_processes {

/// Each is the body of a process, and throws what goes wrong. They end when the page says so.
void publish_honestly(const std::string& socket, std::size_t index, Page& page);
/// `subscribed` is called once there is a route.
void subscribe_honestly(const std::string& socket, std::size_t index, Page& page,
                        const std::function<void()>& subscribed);

/// Numbers on h.* are odd, those on shared.*, where intruders publish too, even.
[[nodiscard]] constexpr bool is_shared(std::uint64_t number) noexcept { return number % 2 == 0; }
inline constexpr std::size_t kSharedSubscriber = kSubscribers - 1;

/// Whether a subscriber has all that was published up to that number.
[[nodiscard]] inline bool has_seen(const Page& page, std::size_t subscriber, std::size_t publisher,
                                   std::uint64_t number) noexcept {
  if (is_shared(number) != (subscriber == kSharedSubscriber)) --number;  // the one before is its
  return page.subscribers[subscriber].seen[publisher].load() >= number;
}

}  // namespace fairlead::hostile_processes
