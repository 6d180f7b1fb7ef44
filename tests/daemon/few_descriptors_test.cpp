// A daemon that is let have few open files, and strangers who take what is left.
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "daemon_process.hpp"
#include "support/raw_guest.hpp"

namespace fairlead::test {
namespace {

std::string roomy_policy() {
  return R"(
[broker]
descriptor_reserve = 16
[[principal]]
name = "alice"
publish = ["*"]
subscribe = ["*"]
admission = "all"
uid = )" +
         std::to_string(::geteuid()) + "\n";
}

// Of a process, in clock ticks; the command in its second field holds no space here.
long processor_time(pid_t process) {
  std::ifstream stat("/proc/" + std::to_string(process) + "/stat");
  std::string skipped;
  for (int field = 0; field < 13; ++field) stat >> skipped;
  long user = 0;
  long system = 0;
  stat >> user >> system;
  return user + system;
}

// A guest that is welcomed, as soon as there are descriptors for it.
std::unique_ptr<RawGuest> attach_when_possible(const Daemon& daemon) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (std::chrono::steady_clock::now() < deadline) {
    auto guest = std::make_unique<RawGuest>(daemon.socket_path());
    guest->send(guest->hello_packet());
    if (guest->receive().kind() == shm::control::Kind::welcome) return guest;
  }
  return nullptr;
}

TEST(FewDescriptors, strangers_are_refused_and_those_attached_are_served) {
  constexpr std::uint64_t kFiles = 40;
  Daemon daemon({.policy = roomy_policy(), .descriptors = kFiles});
  ASSERT_TRUE(daemon.ready());
  RawGuest attached(daemon.socket_path());
  attached.hello();
  const auto route = attached.subscribe("t");
  const auto outbox = attached.open_outbox();
  std::vector<std::unique_ptr<RawGuest>> silent;
  bool refused = false;
  while (!refused && silent.size() < kFiles) {
    silent.push_back(std::make_unique<RawGuest>(daemon.socket_path()));
    ASSERT_EQ(attached.publish(*outbox, "t", "x").taken.load(), 1U);
    refused = !silent.back()->nothing_to_receive();
  }
  RawGuest late(daemon.socket_path());
  EXPECT_EQ(late.refusal(ErrorCode::limit), "the broker has no descriptors left: try again later");
  EXPECT_TRUE(late.hung_up());

  // It does not spin: nobody knocks, nothing is done.
  const long before = processor_time(daemon.pid());
  EXPECT_EQ(::poll(nullptr, 0, 500), 0);
  EXPECT_LE(processor_time(daemon.pid()) - before, ::sysconf(_SC_CLK_TCK) / 10);

  EXPECT_EQ(attached.publish(*outbox, "t", "still here").taken.load(), 1U);
  EXPECT_EQ(route->drain().back().payload, "still here");
  silent.clear();
  const auto again = attach_when_possible(daemon);
  ASSERT_NE(again, nullptr);
  EXPECT_NE(again->subscribe("t"), nullptr);
  daemon.signal(SIGTERM);
  EXPECT_EQ(daemon.exit_code(), 0);
  EXPECT_NE(daemon.standard_error().find("cannot accept a connection: "), std::string::npos);
}

}  // namespace
}  // namespace fairlead::test
