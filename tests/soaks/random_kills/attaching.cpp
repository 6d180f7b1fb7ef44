#include "attaching.hpp"

#include <chrono>
#include <thread>

#include <fairlead/shm/error.hpp>

namespace fairlead::test::random_kills {

guest::Guest attach_patiently(const std::string& socket, const std::string& principal) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  for (;;) {
    try {
      guest::AttachOptions options;
      options.socket_path = socket;
      options.principal = principal;
      options.program = "random kills";
      options.timeout = std::chrono::seconds(60);
      return guest::Guest::attach(std::move(options));
    } catch (const Error& error) {
      const bool away =
          error.code() == ErrorCode::broker_gone || error.code() == ErrorCode::disconnected;
      if (!away || std::chrono::steady_clock::now() > deadline) throw;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }
}

}  // namespace fairlead::test::random_kills
