#include "fork_watch.hpp"

#include <pthread.h>

#include <atomic>

namespace fairlead::guest {
namespace {

std::atomic<std::uint32_t> generation{1};

void count_fork() noexcept { generation.fetch_add(1, std::memory_order_relaxed); }

}  // namespace

std::uint32_t process_generation() noexcept {
  // At the first call, which comes before any object that could be forked away from.
  [[maybe_unused]] static const int registered = ::pthread_atfork(nullptr, nullptr, count_fork);
  return generation.load(std::memory_order_relaxed);
}

}  // namespace fairlead::guest
