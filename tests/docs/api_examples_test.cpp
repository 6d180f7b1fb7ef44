// What docs/api.md shows, run for real. Each piece between `// [name]` and `// [end]` stands there
// word for word; api_page_test.cpp compares.
#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstring>
#include <iostream>
#include <optional>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include <fairlead/broker/broker.hpp>
#include <fairlead/guest/guest.hpp>
#include <fairlead/guest/keeper.hpp>
#include <fairlead/shm/control_socket.hpp>

#include "support/child_process.hpp"

namespace fairlead {
namespace {

using namespace std::chrono_literals;

class ApiExample : public ::testing::Test {
 protected:
  static std::string unique(const std::string& what) {
    return what + "-" + std::to_string(::getpid());
  }
  // By name, and no more than is wanted: that compiles without a warning.
  static broker::BrokerOptions options() {
    return {.name = unique("api"), .socket_path = "/tmp/" + unique("fairlead-api")};
  }

  broker::Broker broker_{options()};
  void SetUp() override { broker_.start(); }

  guest::Guest attach(const std::string& principal) {
    return guest::Guest::attach({.socket_path = broker_.socket_path(), .principal = principal});
  }
};

TEST_F(ApiExample, error) {
  std::ostringstream out;
  std::string code;
  // [error]
  try {
    auto guest = fairlead::guest::Guest::attach({.socket_path = "/run/nobody-listens-here"});
  } catch (const fairlead::Error& error) {
    out << to_string(error.code()) << ": " << error.what() << "\n";
    if (error.code() == fairlead::ErrorCode::broker_gone) code = "try again later";
  }
  // [end]
  EXPECT_EQ(code, "try again later") << out.str();
}

TEST_F(ApiExample, broker) {
  const std::string name = unique("api-host");
  const std::string socket = "/tmp/" + unique("fairlead-api-host");
  std::ostringstream out;
  // [broker]
  fairlead::broker::BrokerOptions options;
  options.name = name;           // names the segments: one broker of a name at a time
  options.socket_path = socket;  // where guests attach
  options.logger = [&](const fairlead::broker::LogRecord& record) {
    out << record.message << "\n";
  };

  fairlead::broker::Broker broker(options);
  broker.start();  // guests are served in a thread of the broker's own

  const auto report = broker.publish("agent.scout", "agent.v1.stream.delta", "hello");
  if (!report.complete()) out << "refused by " << report.refused << " routes\n";
  out << report.matched << " routes matched, " << report.evicted << " messages evicted\n";
  // [end]
  EXPECT_TRUE(report.complete());
  EXPECT_GT(report.sequence, 0U);
  EXPECT_EQ(broker.statistics().name, name);
}

TEST_F(ApiExample, loan) {
  auto reader = attach("reader");
  auto subscription = reader.subscribe("files.*");
  auto& broker = broker_;
  const std::string picture(100'000, 'x');
  // [loan]
  auto loan = broker.loan("alice", "files.picture", picture.size());
  std::memcpy(loan.bytes().data(), picture.data(), picture.size());
  const auto report = loan.commit();  // without it nothing is published
  // [end]
  EXPECT_EQ(report.taken, 1U);
  EXPECT_EQ(subscription.take().front().text(), picture);
}

TEST_F(ApiExample, gate) {
  auto guest = attach("reader");
  auto& broker = broker_;
  // [gate]
  auto route = guest.subscribe("agent.v1.*", {.staged = true});
  broker.publish("agent.scout", "agent.v1.early", "not seen");
  guest.open_gate();  // all staged routes of this guest, in one step
  broker.publish("agent.scout", "agent.v1.late", "seen");
  // [end]
  const auto batch = route.drain();
  ASSERT_EQ(batch.size(), 1U);
  EXPECT_EQ(batch.front().text(), "seen");
}

TEST_F(ApiExample, coming_back) {
  const std::string path = broker_.socket_path();
  std::ostringstream out;
  // [coming-back]
  fairlead::guest::AttachOptions attach;
  attach.descriptor = fairlead::shm::connect_control(path, 1s);
  attach.resume_for = 10s;
  attach.reconnect = [path](std::chrono::nanoseconds timeout) {
    return fairlead::shm::connect_control(path, timeout);  // throws while nobody is there
  };
  auto guest = fairlead::guest::Guest::attach(std::move(attach));
  out << "epoch " << guest.welcome().epoch << "\n";  // grows with each restart
  // [end]
  EXPECT_NE(out.str(), "epoch 0\n");
}

TEST_F(ApiExample, attach_and_drain) {
  const std::string path = broker_.socket_path();
  std::ostringstream out;
  // [attach]
  auto guest = fairlead::guest::Guest::attach({.socket_path = path, .principal = "dashboard"});
  fairlead::guest::SubscribeOptions options;
  options.eviction = fairlead::shm::EvictionPolicy::fair_share;
  options.budget_bytes = 4 << 20;
  auto route = guest.subscribe("agent.v1.*", options);
  // [end]
  for (const char* text : {"one", "two"})
    ASSERT_TRUE(broker_.publish("agent.scout", "agent.v1.delta", text).complete());
  bool stop = false;
  // [drain]
  while (!stop) {
    const auto batch = route.drain();  // at most 64 KiB unless told otherwise
    for (const auto& message : batch) {
      if (message.lost_messages() > 0) out << message.lost_messages() << " lost before this one\n";
      out << message.principal() << " " << message.topic() << ": " << message.text() << "\n";
    }
    if (batch.ended_loss().messages > 0) out << "and " << batch.ended_loss().messages << " lost\n";
    using fairlead::guest::DrainOutcome;
    if (batch.outcome() == DrainOutcome::messages) continue;  // there may be more
    if (batch.outcome() != DrainOutcome::empty) break;  // the route has ended: to_string() says how
    stop = route.wait(100ms) == fairlead::guest::WaitOutcome::timeout;
  }
  // [end]
  EXPECT_EQ(out.str(), "agent.scout agent.v1.delta: one\nagent.scout agent.v1.delta: two\n");
}

TEST_F(ApiExample, keep) {
  auto guest = attach("reader");
  auto route = guest.subscribe("news");
  ASSERT_TRUE(broker_.publish("alice", "news", "first").complete());
  // [keep]
  std::optional<fairlead::guest::Kept> kept;
  {
    const auto batch = route.drain();
    kept = route.keep(batch.front());  // nothing when all hold slots are taken
  }  // the batch is released here, the kept message stays where it is
  if (kept) std::cout << (*kept)->text() << "\n";
  // [end]
  ASSERT_TRUE(kept);
  EXPECT_EQ((*kept)->text(), "first");
}

TEST_F(ApiExample, descriptor) {
  auto guest = attach("reader");
  auto& broker = broker_;
  std::size_t seen = 0;
  // [descriptor]
  auto route = guest.subscribe("news", {.descriptor = true});
  while (seen == 0) {
    for (auto batch = route.drain(); !batch.empty(); batch = route.drain()) seen += batch.size();
    if (seen > 0) break;
    broker.publish("alice", "news", "wake up");
    pollfd wait{.fd = route.descriptor(), .events = POLLIN, .revents = 0};
    ::poll(&wait, 1, 30'000);  // readable as soon as something was published after the last drain
  }
  // [end]
  EXPECT_EQ(seen, 1U);
}

TEST_F(ApiExample, publisher) {
  auto reader = attach("reader");
  auto route = reader.subscribe("agent.*");
  auto guest = attach("agent.scout");
  std::ostringstream out;
  // [publisher]
  auto publisher = guest.publisher();
  const auto outcome = publisher.publish("agent.delta", "waits for its receipt");
  if (!outcome.complete())
    out << to_string(outcome.status) << ", " << fairlead::guest::to_string(outcome.reason);

  const auto later = publisher.publish("agent.delta", "does not", {.wait_for_receipt = 0ns});
  if (publisher.flush(5s) == fairlead::guest::FlushOutcome::done)
    out << publisher.outcome(later.number).taken << " routes have it\n";
  // [end]
  EXPECT_EQ(out.str(), "1 routes have it\n");
}

TEST_F(ApiExample, workers) {
  auto guest = attach("reader");
  auto route = guest.subscribe("jobs");
  ASSERT_TRUE(broker_.publish("alice", "jobs", "do it").complete());
  // [share]
  const auto shared = route.share();
  const std::string word = shared.let_children_inherit();  // an argument for the child
  // [end]
  test::ChildProcess child([&]() -> std::string {
    // [worker]
    auto worker = fairlead::guest::Subscription::from_descriptors(
        fairlead::guest::SharedRoute::from_text(word));
    const auto batch = worker.take();
    // [end]
    return batch.size() == 1 && batch.front().text() == "do it" ? "" : "got something else";
  });
  EXPECT_EQ(child.result(), "");
}

TEST_F(ApiExample, keeper) {
  const std::string path = broker_.socket_path();
  // [keeper]
  auto descriptor = fairlead::guest::connect_as(path, "agent.scout");  // the principal is fixed
  const std::string variable = fairlead::guest::let_children_inherit(descriptor);  // FAIRLEAD_FD=7
  // [end]
  ::putenv(const_cast<char*>(variable.c_str()));
  (void)descriptor.release();
  // [inherited]
  auto guest = fairlead::guest::Guest::attach();  // takes the descriptor that FAIRLEAD_FD names
  std::cout << guest.welcome().principal << "\n";
  // [end]
  EXPECT_EQ(guest.welcome().principal, "agent.scout");
  ::unsetenv("FAIRLEAD_FD");
}

}  // namespace
}  // namespace fairlead
