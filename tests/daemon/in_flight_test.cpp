// Descriptors that nobody has received yet count against a limit of the whole user (ETOOMANYREFS):
// another process of the daemon's user may have used it up.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <fairlead/shm/control_socket.hpp>

#include "daemon_process.hpp"
#include "other_user.hpp"
#include "support/child_process.hpp"
#include "support/raw_guest.hpp"

namespace fairlead::test {
namespace {

constexpr std::uint64_t kFilesOfTheDaemon = 128;

// So many descriptors on their way, and never received.
class Flood {
 public:
  Flood() : ends_(shm::control_pair()) {
    const std::vector<int> many(250, STDIN_FILENO);
    const std::byte byte{};
    sent_ =
        shm::send_packet(ends_.first.get(), std::span(&byte, 1), many) == shm::SendOutcome::sent;
  }
  [[nodiscard]] bool sent() const noexcept { return sent_; }

 private:
  std::pair<shm::UniqueFd, shm::UniqueFd> ends_;
  bool sent_ = false;
};

class InFlight : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "root, whom no limit holds, becomes another user here";
    daemon_.emplace(DaemonOptions{.descriptors = kFilesOfTheDaemon, .user = kVisitor});
    ASSERT_TRUE(daemon_->ready());
  }
  void as_its_user(const std::function<std::string(RawGuest&)>& body) {
    ChildProcess child([&]() -> std::string {
      if (!become(kVisitor)) return "cannot become another user";
      RawGuest guest(daemon_->socket_path());
      guest.hello();
      return body(guest);
    });
    EXPECT_EQ(child.result(), "");
  }
  std::optional<Daemon> daemon_;
};

TEST_F(InFlight, a_subscription_is_refused_and_leaves_nothing_while_the_limit_is_used_up) {
  as_its_user([&](RawGuest& guest) -> std::string {
    {
      const Flood flood;
      if (!flood.sent()) return "no flood";
      guest.send(guest.subscribe_packet("t"));
      const std::string refusal = guest.refusal(ErrorCode::limit);
      if (refusal !=
          "the kernel lets the broker's user have no more descriptors in flight: try again later")
        return refusal;
      if (daemon_->segments().size() != 1) return "something is left of it";
    }
    return guest.subscribe("t") ? "" : "and later as well";
  });
}

TEST_F(InFlight, a_guest_that_cannot_be_sent_its_outbox_is_disconnected_and_comes_again) {
  as_its_user([&](RawGuest& guest) -> std::string {
    {
      const Flood flood;
      guest.send(guest.packet<shm::control::OpenOutbox>(shm::control::Kind::open_outbox));
      if (!guest.hung_up()) return "still connected";
    }
    RawGuest again(daemon_->socket_path());
    again.hello();
    if (daemon_->segments().size() != 1) return "something is left of it";
    const auto outbox = again.open_outbox();
    return again.publish(*outbox, "t", "x").refused.load() == 0 ? "" : "not published";
  });
  daemon_->signal(SIGTERM);
  EXPECT_EQ(daemon_->exit_code(), 0);
  EXPECT_NE(daemon_->standard_error().find("could not be sent its outbox: too many descriptors in "
                                           "flight"),
            std::string::npos);
}

}  // namespace
}  // namespace fairlead::test
