// A broker whose process has no descriptors left, perhaps because its host has taken them all.
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support/test_broker.hpp"

namespace fairlead::test {
namespace {

// Takes all descriptors that there are, or all but those that the broker keeps in reserve.
class Hoard {
 public:
  explicit Hoard(rlim_t limit) {
    EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0);
    const rlimit low{std::min(limit, before_.rlim_max), before_.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
    for (;;) {
      shm::UniqueFd taken(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0));
      if (!taken) break;
      taken_.push_back(std::move(taken));
    }
  }
  ~Hoard() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  Hoard(const Hoard&) = delete;
  Hoard& operator=(const Hoard&) = delete;

 private:
  rlimit before_{};
  std::vector<shm::UniqueFd> taken_;
};

// Not connected yet: connecting needs no descriptor, making the socket does.
class Caller {
 public:
  Caller() : socket_(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)) {}
  RawGuest connect(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    EXPECT_EQ(::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
              0);
    EXPECT_EQ(::fcntl(socket_.get(), F_SETFL, O_NONBLOCK), 0);
    return RawGuest(std::move(socket_));
  }

 private:
  shm::UniqueFd socket_;
};

// Seconds that this process, the broker in it included, has computed.
double computed() {
  rusage usage{};
  EXPECT_EQ(::getrusage(RUSAGE_SELF, &usage), 0);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

struct Attached {
  explicit Attached(TestBroker& broker)
      : guest(broker.guest("alice")), route(guest->subscribe("t")), outbox(guest->open_outbox()) {}
  void expect_service(const std::string& text) {
    EXPECT_EQ(guest->publish(*outbox, "t", text).taken.load(), 1U);
    EXPECT_EQ(route->payloads(), std::vector<std::string>({text}));
  }
  std::unique_ptr<RawGuest> guest;
  std::unique_ptr<RawRoute> route;
  std::unique_ptr<RawOutbox> outbox;
};

class NoDescriptors : public testing::Test {
  void SetUp() override {
    if (FAIRLEAD_SANITIZED != 0) GTEST_SKIP() << "the sanitizers check pointers through pipes";
  }
};

TEST_F(NoDescriptors, connections_are_refused_in_words_until_there_are_some_again) {
  TestBroker broker({.listening = true});
  Attached attached(broker);
  std::vector<Caller> callers(5);
  {
    const Hoard all(300);
    std::vector<RawGuest> guests;  // whose sockets must not be given back
    for (Caller& caller : callers) {
      RawGuest& guest = guests.emplace_back(caller.connect(broker.socket_path()));
      EXPECT_EQ(guest.refusal(ErrorCode::limit),
                "the broker has no descriptors left: try again later");
      EXPECT_TRUE(guest.hung_up());
      attached.expect_service("while there are none");
    }
  }
  EXPECT_TRUE(broker.logged("cannot accept a connection: "));
  EXPECT_TRUE(broker.logged("raise the limit of open files (ulimit -n)"));
  EXPECT_EQ(broker->statistics().attach_refusals, callers.size());
  RawGuest(broker.socket_path()).hello();
}

TEST_F(NoDescriptors, a_subscription_is_refused_and_leaves_nothing_behind) {
  TestBroker broker({.listening = true});
  Attached attached(broker);
  const auto before = broker.segments();
  {
    const Hoard all(300);
    attached.guest->send(attached.guest->subscribe_packet("t"));
    EXPECT_NE(attached.guest->refusal(ErrorCode::limit), "");
    attached.expect_service("meanwhile");
  }
  EXPECT_EQ(broker.segments(), before);
  EXPECT_NE(attached.guest->subscribe("t"), nullptr);
}

// Not even the reserve helps: then it waits instead of trying again and again.
TEST_F(NoDescriptors, a_connection_that_cannot_even_be_refused_costs_no_time) {
  TestBroker broker({.listening = true});
  Attached attached(broker);
  Caller caller;
  std::unique_ptr<RawGuest> late;
  {
    const Hoard beyond_all(3);
    late = std::make_unique<RawGuest>(caller.connect(broker.socket_path()));
    late->send(late->hello_packet());
    EXPECT_TRUE(broker.logged("cannot accept a connection: "));
    const double before = computed();
    pollfd answer{late->descriptor(), POLLIN, 0};
    EXPECT_EQ(::poll(&answer, 1, 500), 0);
    EXPECT_LT(computed() - before, 0.1);
    attached.expect_service("meanwhile");
  }
  EXPECT_EQ(late->receive().kind(), shm::control::Kind::welcome);
}

}  // namespace
}  // namespace fairlead::test
