// A broker inside the test: a name of its own, a policy given as text, a log that can be looked at,
// and nothing left behind.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <fairlead/broker/broker.hpp>

#include "support/raw_guest.hpp"

namespace fairlead::test {

struct TestBrokerOptions {
  std::string policy{};  // TOML; empty: none, the test's own user may do everything
  bool listening = false;
  bool started = true;
  std::function<void(broker::BrokerOptions&)> tweak{};
};

class TestBroker {
 public:
  explicit TestBroker(const TestBrokerOptions& options = {});
  ~TestBroker();
  TestBroker(const TestBroker&) = delete;
  TestBroker& operator=(const TestBroker&) = delete;

  broker::Broker* operator->() noexcept { return broker_.get(); }
  [[nodiscard]] broker::Broker& get() noexcept { return *broker_; }
  [[nodiscard]] const std::string& name() const noexcept { return options_.name; }
  [[nodiscard]] const std::string& socket_path() const noexcept { return options_.socket_path; }
  [[nodiscard]] const std::string& directory() const noexcept { return directory_; }
  [[nodiscard]] const broker::BrokerOptions& options() const noexcept { return options_; }
  void write_policy(std::string_view text);

  /// A guest of a principal that the host vouches for, after its hello.
  [[nodiscard]] std::unique_ptr<RawGuest> guest(std::string_view principal,
                                                std::uint8_t capsule = 1);
  /// The next broker of that name, after this one has handed over. `meanwhile` there is none.
  void restart(const std::function<void()>& meanwhile = {});
  /// Ends the broker; its destructor runs.
  void destroy() { broker_.reset(); }

  /// Log lines so far.
  [[nodiscard]] std::vector<std::string> log() const;
  /// Waits for a line with that piece; false when none comes.
  [[nodiscard]] bool logged(std::string_view piece) const;

  /// Waits until the statistics are as wanted; false when they never are.
  [[nodiscard]] bool wait_until(const std::function<bool(const broker::BrokerStatistics&)>& wanted);

  /// Files in /dev/shm of this broker's name.
  [[nodiscard]] std::vector<std::string> segments() const;

 private:
  struct Log {
    std::mutex mutex;
    std::vector<std::string> lines;
  };
  std::string directory_;
  std::shared_ptr<Log> log_ = std::make_shared<Log>();
  broker::BrokerOptions options_;
  std::unique_ptr<broker::Broker> broker_;
};

/// A name that no other test, process or run uses.
[[nodiscard]] std::string unique_broker_name();

}  // namespace fairlead::test
