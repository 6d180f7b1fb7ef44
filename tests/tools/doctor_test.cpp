// What `fairlead doctor` makes of machines that this one is not.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>

#include <nlohmann/json.hpp>

#include <fairlead/shm/control_socket.hpp>

#include "doctor/finding.hpp"
#include "doctor/kernel_checks.hpp"
#include "doctor/leftover_checks.hpp"
#include "doctor/machine_checks.hpp"
#include "segment_builder.hpp"
#include "segment_directory.hpp"

namespace fairlead::tools::doctor {
namespace {

using test::SegmentDirectory;
using testing::HasSubstr;

constexpr std::uint64_t kMiB = 1024 * 1024;

std::string line_of(const Finding& finding) { return render_text({finding}, false); }

SharedMemoryFacts good_memory() {
  return {.there = true,
          .tmpfs = true,
          .writable = true,
          .sticky = true,
          .total_bytes = 1'024 * kMiB,
          .free_bytes = 1'000 * kMiB};
}

TEST(DoctorSharedMemory, enough_is_ok) {
  EXPECT_EQ(line_of(judge_shared_memory(good_memory(), "/dev/shm")),
            "ok    shared-memory     /dev/shm is a tmpfs of 1.0 GiB, 1000 MiB free\n");
  SharedMemoryFacts unlimited = good_memory();
  unlimited.total_bytes = unlimited.free_bytes = 0;
  EXPECT_EQ(judge_shared_memory(unlimited, "/dev/shm").status, Status::ok);
}

TEST(DoctorSharedMemory, little_is_a_warning_and_almost_nothing_a_failure) {
  SharedMemoryFacts facts = good_memory();
  facts.total_bytes = facts.free_bytes = 64 * kMiB;  // what Docker gives
  const Finding little = judge_shared_memory(facts, "/dev/shm");
  EXPECT_EQ(little.status, Status::warn);
  EXPECT_THAT(little.advice, HasSubstr("--shm-size"));
  facts.free_bytes = 7 * kMiB;
  EXPECT_EQ(judge_shared_memory(facts, "/dev/shm").status, Status::fail);
}

TEST(DoctorSharedMemory, a_mount_that_is_none_of_it_is_a_failure) {
  SharedMemoryFacts facts = good_memory();
  facts.writable = false;
  EXPECT_EQ(judge_shared_memory(facts, "/dev/shm").status, Status::fail);
  facts = good_memory();
  facts.tmpfs = false;
  EXPECT_EQ(judge_shared_memory(facts, "/dev/shm").status, Status::fail);
  facts = good_memory();
  facts.sticky = false;
  const Finding open = judge_shared_memory(facts, "/dev/shm");
  EXPECT_EQ(open.status, Status::fail);
  EXPECT_EQ(open.advice, "chmod +t /dev/shm");
  EXPECT_EQ(judge_shared_memory({}, "/dev/shm").status, Status::fail);
}

TEST(DoctorSharedMemory, this_machines_is_looked_at) {
  const SharedMemoryFacts facts = look_at_shared_memory("/dev/shm");
  EXPECT_TRUE(facts.there);
  EXPECT_TRUE(facts.tmpfs);
  EXPECT_TRUE(facts.sticky);
  const SegmentDirectory directory;
  EXPECT_FALSE(look_at_shared_memory(directory.path_of("no")).there);
  ASSERT_EQ(::mkdir(directory.path_of("open").c_str(), 0700), 0);
  ASSERT_EQ(::chmod(directory.path_of("open").c_str(), 0777), 0);
  EXPECT_FALSE(look_at_shared_memory(directory.path_of("open")).sticky);
}

TEST(DoctorLimits, few_files_are_a_warning_and_very_few_a_failure) {
  EXPECT_EQ(judge_open_files({65'536, 65'536}).status, Status::ok);
  EXPECT_EQ(judge_open_files({1'024, 4'096}).status, Status::warn);
  EXPECT_EQ(judge_open_files({32, 32}).status, Status::fail);
  EXPECT_EQ(judge_open_files({~0ULL, ~0ULL}).what,
            "a process may open unlimited files (unlimited at most)");
  EXPECT_GT(look_at_open_files().soft, 0U);
}

TEST(DoctorLimits, fewer_mappings_than_usual_are_a_warning) {
  EXPECT_EQ(judge_mappings(65'530).status, Status::ok);
  EXPECT_EQ(judge_mappings(1'000).status, Status::warn);
  EXPECT_EQ(judge_mappings(std::nullopt).status, Status::warn);
  EXPECT_TRUE(look_at_mappings().has_value());
}

TEST(DoctorKernel, what_fairlead_needs_works_here) {
  EXPECT_EQ(try_sealed_memory(), "");
  EXPECT_EQ(try_read_only_futex(), "");
  EXPECT_EQ(try_descriptor_passing(), "");
  EXPECT_EQ(try_process_descriptor(), "");
}

TEST(DoctorKernel, what_does_not_work_is_told_with_its_consequence) {
  EXPECT_EQ(line_of(judge_sealed_memory("Invalid argument (EINVAL)")),
            "fail  sealed-memory     memfds cannot be sealed against later writers, so guests "
            "cannot attach: Invalid argument (EINVAL); use a kernel from 5.1 on\n");
  EXPECT_EQ(judge_read_only_futex("x").status, Status::fail);
  EXPECT_EQ(judge_descriptor_passing("x").status, Status::fail);
  EXPECT_EQ(judge_membarrier("x").status, Status::warn);
  EXPECT_EQ(judge_process_descriptor("x").status, Status::warn);
  EXPECT_EQ(judge_user_namespace("x").status, Status::warn);
  EXPECT_EQ(judge_bubblewrap("").status, Status::warn);
  for (const Finding& fine : {judge_sealed_memory(""), judge_membarrier(""),
                              judge_user_namespace(""), judge_bubblewrap("/usr/bin/bwrap")}) {
    EXPECT_EQ(fine.status, Status::ok);
    EXPECT_EQ(fine.advice, "");
  }
}

TEST(DoctorKernel, programs_are_found_in_PATH) {
  EXPECT_THAT(find_program("sh"), testing::EndsWith("/sh"));
  EXPECT_EQ(find_program("no-such-program-anywhere"), "");
}

TEST(DoctorSockets, the_place_for_sockets_is_there_or_can_be_made) {
  const SegmentDirectory directory;
  const auto judged = [](const std::string& path) {
    return judge_socket_place(look_at_socket_place(path));
  };
  EXPECT_EQ(judged(directory.path() + "/main.sock").status, Status::ok);
  EXPECT_THAT(judged(directory.path() + "/fairlead/main.sock").what,
              HasSubstr("not there yet, a broker makes it"));
  const Finding nowhere = judged(directory.path() + "/no/where/main.sock");
  EXPECT_EQ(nowhere.status, Status::warn);
  EXPECT_NE(nowhere.advice, "");
}

TEST(DoctorSockets, a_live_one_is_told_from_a_stale_one_and_from_a_file) {
  const SegmentDirectory directory;
  const auto live = shm::ControlListener::listen(directory.path_of("live.sock"), 0600);
  {
    const shm::UniqueFd dead(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, directory.path_of("stale.sock").c_str());
    ASSERT_EQ(::bind(dead.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(::listen(dead.get(), 1), 0);
  }
  directory.write("file.sock", "x");
  directory.write("unrelated", "x");
  const auto findings = judge_sockets(look_at_sockets(directory.path(), {}));
  ASSERT_EQ(findings.size(), 2U);
  EXPECT_EQ(line_of(findings[0]), "warn  sockets           " + directory.path_of("file.sock") +
                                      " is no socket; remove it, or no broker can listen there\n");
  EXPECT_EQ(line_of(findings[1]), "warn  sockets           nobody listens on " +
                                      directory.path_of("stale.sock") +
                                      "; a broker that starts there replaces it; else rm " +
                                      directory.path_of("stale.sock") + '\n');
  ASSERT_EQ(::unlink(directory.path_of("stale.sock").c_str()), 0);
  ASSERT_EQ(::unlink(directory.path_of("file.sock").c_str()), 0);
  EXPECT_EQ(judge_sockets(look_at_sockets(directory.path(), {})).front().what,
            "1 broker listening, no stale socket");
}

TEST(DoctorSockets, the_socket_that_a_table_names_is_looked_at) {
  const SegmentDirectory directory;
  directory.write("elsewhere", "x");
  test::TableBuilder table({}, directory.path_of("elsewhere"));
  directory.write(table.file_name(), table.bytes());
  const auto sockets = look_at_sockets("/no/such", directory.dump());
  ASSERT_EQ(sockets.size(), 1U);
  EXPECT_EQ(sockets.front().path, directory.path_of("elsewhere"));
  EXPECT_EQ(sockets.front().state, SocketState::not_a_socket);
}

TEST(DoctorSegments, nothing_is_ok_and_what_a_dead_broker_left_a_warning) {
  const SegmentDirectory directory;
  EXPECT_EQ(judge_segments(directory.dump()).front().status, Status::ok);
  test::RouteBuilder route;
  test::TableBuilder table;
  directory.write(table.file_name(), table.bytes());
  directory.write(route.file_name(), route.bytes());
  const auto left = judge_segments(directory.dump(dump::ProcessState::gone));
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left.front().status, Status::warn);
  EXPECT_THAT(left.front().what, HasSubstr("broker gold is gone and left 2 segments ("));
  EXPECT_THAT(left.front().advice, HasSubstr("rm " + directory.path() + "/fairlead.gold.*"));
  const auto running = judge_segments(directory.dump(dump::ProcessState::runs));
  ASSERT_EQ(running.size(), 1U);
  EXPECT_EQ(running.front().status, Status::ok);
}

TEST(DoctorSegments, R34_routes_of_a_dead_broker_are_for_its_next_life) {
  const SegmentDirectory directory;
  test::RouteBuilder route;
  test::TableBuilder table;
  table.add(route).add_outbox(5, "bob", "");
  directory.write(table.file_name(), table.bytes());
  directory.write(route.file_name(), route.bytes());
  const auto left = judge_segments(directory.dump(dump::ProcessState::gone));
  ASSERT_EQ(left.size(), 1U);
  EXPECT_THAT(left.front().what, HasSubstr("), with them 1 route"));
  EXPECT_THAT(left.front().advice, HasSubstr("its next life takes the routes over"));
}

TEST(DoctorSegments, squatted_names_are_failures_and_strays_warnings) {
  const SegmentDirectory directory;
  ASSERT_EQ(::mkfifo(directory.path_of("fairlead.gold.table").c_str(), 0600), 0);
  directory.write("fairlead.what.ever", "x");
  const auto findings = judge_segments(directory.dump());
  ASSERT_EQ(findings.size(), 2U);
  EXPECT_EQ(findings[0].status, Status::fail);
  EXPECT_THAT(findings[0].what, HasSubstr("this is a FIFO of uid "));
  EXPECT_EQ(findings[1].status, Status::warn);
  EXPECT_EQ(worst(findings), Status::fail);
}

TEST(DoctorFindings, problems_come_last_and_json_has_them_all) {
  const std::vector<Finding> findings = {{"a", Status::fail, "bad \x1b", "mend it"},
                                         {"b", Status::ok, "fine", ""},
                                         {"c", Status::warn, "so so", "think"}};
  EXPECT_EQ(render_text(findings, false),
            "ok    b                 fine\n"
            "warn  c                 so so; think\n"
            "fail  a                 bad \\x1b; mend it\n");
  EXPECT_THAT(render_text(findings, true), HasSubstr("\x1b[1;31mfail\x1b[0m"));
  const auto json = nlohmann::json::parse(render_json(findings));
  EXPECT_EQ(json["status"], "fail");
  EXPECT_EQ(json["findings"].size(), 3U);
  EXPECT_EQ(json["findings"][2]["advice"], "think");
}

}  // namespace
}  // namespace fairlead::tools::doctor
