// Whoever dies, in whatever order: nothing is left once the next broker has swept, and nothing that
// is somebody else's is touched.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <fairlead/shm/layout/segment_header.hpp>
#include <fairlead/shm/segment_name.hpp>

#include "daemon_process.hpp"
#include "support/child_process.hpp"
#include "support/raw_guest.hpp"
#include "support/test_broker.hpp"

namespace fairlead::test {
namespace {

namespace fs = std::filesystem;

std::unique_ptr<Daemon> start_again(const Daemon& first, const std::string& name) {
  return std::make_unique<Daemon>(DaemonOptions{
      .arguments = {"--name", name, "--socket", first.directory() + "/" + name + ".sock"},
      .plain = true});
}

void end(Daemon& daemon) {
  daemon.signal(SIGTERM);
  EXPECT_EQ(daemon.exit_code(), 0);
}

std::vector<std::string> left_of(const std::string& name) {
  std::vector<std::string> files;
  for (const shm::ListedSegment& listed : shm::list_segments())
    if (listed.name && listed.name->broker == name) files.push_back(listed.file);
  return files;
}

// A daemon, a guest with routes of both backings, and a publisher.
struct Cast {
  Cast()
      : name(unique_broker_name()),
        home(),
        broker(start_again(home, name)),
        ready(broker->ready()),
        socket(home.directory() + "/" + name + ".sock"),
        reader([this] { return read(); }),
        publisher([this] { return publish(); }) {
    ready = ready && there_.wait() && there_.wait();
  }

  ~Cast() {
    broker.reset();
    for (const std::string& file : left_of(name)) ::unlink(shm::segment_path(file).c_str());
  }

  std::string read() {
    RawGuest guest(socket);
    guest.hello();
    auto packet = guest.subscribe_packet("t");
    const auto named = guest.subscribe(packet);
    packet = guest.subscribe_packet("t");
    packet.backing = shm::control::BackingWish::sealed;
    const auto sealed = guest.subscribe(packet);
    there_.send();
    Signal never;
    return never.wait() ? "" : "";
  }
  std::string publish() {
    RawGuest guest(socket);
    guest.hello();
    const auto outbox = guest.open_outbox();
    guest.publish(*outbox, "t", "x");
    there_.send();
    Signal never;
    return never.wait() ? "" : "";
  }
  void kill(std::size_t who) {
    if (who == 0) {
      broker->signal(SIGKILL);
      EXPECT_EQ(broker->exit_code(), 128 + SIGKILL);
    } else {
      (who == 1 ? reader : publisher).kill();
    }
  }

 private:
  Signal there_;

 public:
  std::string name;
  Daemon home;  // for its directory
  std::unique_ptr<Daemon> broker;
  bool ready;
  std::string socket;
  ChildProcess reader;
  ChildProcess publisher;
};

// The table, and segments for guests that may come back.
bool all_are_of_the_next_life(const std::vector<std::string>& files) {
  return std::all_of(files.begin(), files.end(), [](const std::string& file) {
    const auto name = shm::parse_segment_name(file);
    return name && (name->kind == shm::SegmentKind::table || name->epoch == 2);
  });
}

TEST(CleanUp, nothing_is_left_in_whatever_order_broker_guest_and_publisher_are_killed) {
  std::array<std::size_t, 3> order = {0, 1, 2};
  do {
    Cast cast;
    ASSERT_TRUE(cast.ready);
    EXPECT_FALSE(left_of(cast.name).empty());
    for (const std::size_t who : order) cast.kill(who);
    const auto next = start_again(cast.home, cast.name);
    ASSERT_TRUE(next->ready());
    EXPECT_TRUE(all_are_of_the_next_life(left_of(cast.name)));
    end(*next);
    EXPECT_TRUE(left_of(cast.name).empty());
    EXPECT_FALSE(fs::exists(cast.socket));
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(CleanUp, a_broker_of_another_name_keeps_everything_while_one_of_this_name_sweeps) {
  Cast other;
  ASSERT_TRUE(other.ready);
  // Names that begin alike.
  for (const std::string& name : {other.name + "b", other.name.substr(0, other.name.size() - 1)}) {
    const auto before = left_of(other.name);
    const auto killed = start_again(other.home, name);
    ASSERT_TRUE(killed->ready());
    killed->signal(SIGKILL);
    killed->exit_code();
    const auto next = start_again(other.home, name);
    ASSERT_TRUE(next->ready());
    end(*next);
    EXPECT_EQ(left_of(other.name), before);
  }
  RawGuest guest(other.socket);
  guest.hello();
  const auto outbox = guest.open_outbox();
  EXPECT_EQ(guest.publish(*outbox, "t", "still served").taken.load(), 2U);
}

TEST(CleanUp, a_second_broker_of_a_living_one_s_name_touches_nothing) {
  Cast cast;
  ASSERT_TRUE(cast.ready);
  const auto before = left_of(cast.name);
  for (const bool stopped : {false, true}) {  // stopped is not dead
    if (stopped) cast.broker->signal(SIGSTOP);
    const auto second = start_again(cast.home, cast.name);
    EXPECT_EQ(second->exit_code(), 4);
    EXPECT_EQ(left_of(cast.name), before);
    EXPECT_TRUE(fs::exists(cast.socket));
  }
  cast.broker->signal(SIGCONT);
  RawGuest guest(cast.socket);
  guest.hello();
  EXPECT_NE(guest.subscribe("t"), nullptr);
}

// What a table says of its broker's pid is for people: its lock says whether the broker lives.
TEST(CleanUp, a_dead_broker_whose_pid_lives_again_is_swept_all_the_same) {
  Cast cast;
  ASSERT_TRUE(cast.ready);
  cast.kill(0);
  const std::string table = shm::segment_path(shm::table_segment_name(cast.name));
  const auto heir = static_cast<std::uint32_t>(::getpid());
  const shm::UniqueFd file(::open(table.c_str(), O_WRONLY | O_CLOEXEC));
  ASSERT_EQ(::pwrite(file.get(), &heir, sizeof heir, offsetof(shm::SegmentHeader, broker_process)),
            static_cast<ssize_t>(sizeof heir));
  const auto next = start_again(cast.home, cast.name);
  ASSERT_TRUE(next->ready());
  EXPECT_TRUE(all_are_of_the_next_life(left_of(cast.name)));
  end(*next);
  EXPECT_TRUE(left_of(cast.name).empty());
}

}  // namespace
}  // namespace fairlead::test
