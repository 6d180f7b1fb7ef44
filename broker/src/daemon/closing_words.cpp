#include "daemon/closing_words.hpp"

namespace fairlead::broker::daemon {

std::string closing_words(const BrokerStatistics& statistics) {
  const auto count = [](std::uint64_t number, const char* what) {
    return std::to_string(number) + " " + what;
  };
  return "served " + count(statistics.connections, "connections: ") +
         count(statistics.attach_refusals, "attaches refused, ") +
         count(statistics.request_refusals, "requests refused, ") +
         count(statistics.protocol_violations, "disconnected for what they sent or wrote, ") +
         count(statistics.unread_disconnects, "for not reading, ") +
         count(statistics.expired_deadlines, "for being late, ") +
         count(statistics.poisoned_routes, "routes poisoned");
}

}  // namespace fairlead::broker::daemon
