#include "resume/restarting_daemon.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstring>
#include <string_view>

#include <gtest/gtest.h>

#include <fairlead/shm/control_socket.hpp>
#include <fairlead/shm/segment_name.hpp>

#include "support/test_broker.hpp"

namespace fairlead::test {

RestartingDaemon::RestartingDaemon(std::vector<std::string> arguments)
    : name_(unique_broker_name()),
      arguments_(std::move(arguments)),
      notifications_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, directory_.path_of("notify").c_str());
  EXPECT_EQ(::bind(notifications_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  start();
}

RestartingDaemon::~RestartingDaemon() {
  if (program_) stop();
  for (const shm::ListedSegment& listed : shm::list_segments()) {
    if (listed.file.starts_with("fairlead." + name_ + ".")) {
      ::unlink(shm::segment_path(listed.file).c_str());
    }
  }
}

void RestartingDaemon::die() {
  program_->signal(SIGKILL);
  EXPECT_EQ(program_->exit_code(), 128 + SIGKILL) << program_->error();
}

void RestartingDaemon::stop() {
  if (program_->signal(SIGTERM)) program_->exit_code();
}

void RestartingDaemon::start() {
  std::vector<std::string> command = {FAIRLEAD_BROKER_PROGRAM, "--name", name_, "--socket",
                                      socket_path()};
  command.insert(command.end(), arguments_.begin(), arguments_.end());
  program_ = std::make_unique<Program>(
      command, ProgramOptions{.environment = {"NOTIFY_SOCKET=" + directory_.path_of("notify")}});
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  std::array<char, 4'096> text{};
  while (std::string_view(text.data()).find("READY=1") == std::string_view::npos) {
    if (!shm::wait_for_events(notifications_.get(), POLLIN, deadline)) {
      ADD_FAILURE() << "the broker does not get ready: " << program_->error();
      return;
    }
    text.fill('\0');
    [[maybe_unused]] const auto got =
        ::recv(notifications_.get(), text.data(), text.size() - 1, MSG_DONTWAIT);
  }
}

}  // namespace fairlead::test
