// A guest that is thrown out gives everything back: segments, memory, every quota; and is told why.
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "daemon_process.hpp"
#include "support/child_process.hpp"
#include "support/raw_guest.hpp"

namespace fairlead::test {
namespace {

namespace control = shm::control;
using control::Kind;

// Everything just fits once.
std::string tight_policy() {
  return R"(
[[principal]]
name = "mallory"
uid = "self"
publish = ["*"]
subscribe = ["*"]
admission = "all"
budget_bytes = 65536
[principal.quota]
guests = 1
routes = 2
total_budget_bytes = 131072
outbox_bytes = 65536
descriptors = 7
)";
}

// One guest with all that the quota allows.
struct Everything {
  explicit Everything(const Daemon& daemon) : guest(daemon.socket_path()) {
    guest.hello();
    for (int each = 0; each < 2; ++each) routes.push_back(guest.subscribe("t"));
    outbox = guest.open_outbox(65'536);
    EXPECT_EQ(guest.publish(*outbox, "t", std::string(30'000, 'x')).taken.load(), 2U);
  }
  RawGuest guest;
  std::vector<std::unique_ptr<RawRoute>> routes;
  std::unique_ptr<RawOutbox> outbox;
};

struct Offence {
  const char* name;
  void (*commit)(Everything& all);
  const char* logged;
};

void PrintTo(const Offence& offence, std::ostream* out) { *out << offence.name; }

const Offence kOffences[] = {
    {"garbage", [](Everything& all) { all.guest.send_bytes(std::vector<std::byte>(100)); },
     "one of the protocol's"},
    {"half_a_packet",
     [](Everything& all) {
       const auto packet = all.guest.subscribe_packet("t");
       all.guest.send_bytes(std::as_bytes(std::span(&packet, 1)).first(sizeof packet / 2));
     },
     "one of the protocol's"},
    {"outbox_beyond_the_ring",
     [](Everything& all) {
       all.outbox->set_tail(std::uint64_t{1} << 40);
       all.guest.plain(Kind::kick);
     },
     "is not trusted any more"},
    {"wrong_acknowledgement", [](Everything& all) { all.guest.acknowledge(999'999); },
     "acknowledged descriptors that it was never sent"},
};

class Ejected : public testing::TestWithParam<Offence> {};

TEST_P(Ejected, R32_gives_segments_memory_and_every_quota_back) {
  Daemon daemon({.policy = tight_policy()});
  ASSERT_TRUE(daemon.ready());
  const auto before = daemon.segments();
  EXPECT_EQ(before.size(), 1U);
  {
    Everything all(daemon);
    EXPECT_EQ(daemon.segments().size(), 4U);
    GetParam().commit(all);
    const auto why = all.guest.receive().as<control::Refused>();
    EXPECT_EQ(why.header.request, 0U);
    EXPECT_EQ(why.code, static_cast<std::uint32_t>(ErrorCode::protocol));
    EXPECT_NE(why.sentence.view().find(GetParam().logged), std::string_view::npos)
        << why.sentence.view();
    EXPECT_TRUE(all.guest.hung_up());
    // The next one gets it all, while the one thrown out lives and has its mappings still.
    const Everything next(daemon);
    for (const auto& route : all.routes) {
      struct stat file {};
      EXPECT_EQ(::fstat(route->route_descriptor(), &file), 0);
      EXPECT_EQ(file.st_size, shm::kRouteArenaOffset) << "what can be taken back was";
    }
  }
  daemon.signal(SIGTERM);
  EXPECT_EQ(daemon.exit_code(), 0);
  EXPECT_TRUE(daemon.segments().empty());
  const std::string log = daemon.standard_error();
  EXPECT_NE(log.find("warning: guest 1 of mallory: disconnected: it "), log.npos) << log;
  EXPECT_NE(log.find(GetParam().logged), log.npos) << log;
}

INSTANTIATE_TEST_SUITE_P(For, Ejected, testing::ValuesIn(kOffences),
                         [](const auto& each) { return each.param.name; });

}  // namespace
}  // namespace fairlead::test
