#include "support/test_broker.hpp"

#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include <fairlead/shm/segment_name.hpp>

namespace fairlead::test {

std::string unique_broker_name() {
  static std::atomic<int> counter{0};
  return "test-" + std::to_string(::getpid()) + "-" + std::to_string(++counter);
}

TestBroker::TestBroker(const TestBrokerOptions& options) {
  char directory[] = "/tmp/fairlead-test-XXXXXX";
  directory_ = ::mkdtemp(directory);
  options_.name = unique_broker_name();
  if (options.listening) options_.socket_path = directory_ + "/broker.sock";
  if (!options.policy.empty()) {
    write_policy(options.policy);
    options_.policy_path = directory_ + "/policy.toml";
  }
  options_.log_level = broker::LogLevel::debug;
  options_.logger = [log = log_](const broker::LogRecord& record) {
    const std::lock_guard lock(log->mutex);
    log->lines.emplace_back(record.message);
  };
  if (options.tweak) options.tweak(options_);
  broker_ = std::make_unique<broker::Broker>(options_);
  if (options.started) broker_->start();
}

TestBroker::~TestBroker() {
  broker_.reset();
  EXPECT_EQ(segments(), std::vector<std::string>{});
  std::filesystem::remove_all(directory_);
}

void TestBroker::restart(const std::function<void()>& meanwhile) {
  broker_->hand_over();
  broker_.reset();
  if (meanwhile) meanwhile();
  broker_ = std::make_unique<broker::Broker>(options_);
  broker_->start();
}

void TestBroker::write_policy(std::string_view text) {
  std::ofstream(directory_ + "/policy.toml") << text;
}

std::unique_ptr<RawGuest> TestBroker::guest(std::string_view principal, std::uint8_t capsule) {
  auto guest = std::make_unique<RawGuest>(broker_->connect(principal));
  guest->hello({}, capsule);
  return guest;
}

std::vector<std::string> TestBroker::log() const {
  const std::lock_guard lock(log_->mutex);
  return log_->lines;
}

bool TestBroker::logged(std::string_view piece) const {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (std::chrono::steady_clock::now() < deadline) {
    for (const std::string& line : log()) {
      if (line.find(piece) != std::string::npos) return true;
    }
    std::this_thread::yield();
  }
  return false;
}

bool TestBroker::wait_until(const std::function<bool(const broker::BrokerStatistics&)>& wanted) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (std::chrono::steady_clock::now() < deadline) {
    if (wanted(broker_->statistics())) return true;
    std::this_thread::yield();
  }
  return false;
}

std::vector<std::string> TestBroker::segments() const {
  std::vector<std::string> files;
  for (const shm::ListedSegment& listed : shm::list_segments()) {
    if (listed.file.starts_with("fairlead." + name() + ".")) files.push_back(listed.file);
  }
  return files;
}

}  // namespace fairlead::test
