// A thread that sleeps on a doorbell, as those of a guest do.
#pragma once

#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <string>
#include <thread>

#include <fairlead/shm/doorbell_condition.hpp>

namespace fairlead::test {

class DoorbellSleeper {
 public:
  explicit DoorbellSleeper(const std::atomic<std::uint32_t>& doorbell)
      : waiter_(doorbell, registrations_), thread_([this] {
          thread_number_ = static_cast<int>(::syscall(SYS_gettid));
          outcome_ = waiter_.sleep_until_roused(std::chrono::steady_clock::now() +
                                                std::chrono::seconds(30));
        }) {
    while (!sleeps()) std::this_thread::yield();
  }
  ~DoorbellSleeper() {
    if (thread_.joinable()) thread_.join();
  }
  DoorbellSleeper(const DoorbellSleeper&) = delete;
  DoorbellSleeper& operator=(const DoorbellSleeper&) = delete;

  /// What woke it.
  [[nodiscard]] shm::DoorbellOutcome outcome() {
    thread_.join();
    return outcome_;
  }

 private:
  // Registered, it can sleep nowhere else.
  [[nodiscard]] bool sleeps() const {
    if (registrations_.load() == 0) return false;
    std::ifstream file("/proc/self/task/" + std::to_string(thread_number_) + "/stat");
    std::string line;
    std::getline(file, line);
    const std::size_t end = line.rfind(") ");
    return end != std::string::npos && line.compare(end + 2, 1, "S") == 0;
  }

  std::atomic<std::uint32_t> registrations_{0};
  std::atomic<int> thread_number_{0};
  shm::DoorbellWaiter waiter_;
  shm::DoorbellOutcome outcome_ = shm::DoorbellOutcome::timed_out;
  std::thread thread_;
};

}  // namespace fairlead::test
