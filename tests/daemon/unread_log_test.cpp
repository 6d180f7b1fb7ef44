// A log that nobody reads, or nobody can: the daemon goes on, and ends when it is asked to.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "daemon/log_output.hpp"
#include "daemon_process.hpp"
#include "support/child_process.hpp"
#include "support/raw_guest.hpp"

namespace fairlead::test {
namespace {

// A pipe that takes nothing any more.
class FullPipe {
 public:
  FullPipe() {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    reader_.reset(ends[0]);
    writer_.reset(ends[1]);
    const std::string filling(4'096, '.');
    EXPECT_EQ(::fcntl(writer(), F_SETFL, O_NONBLOCK), 0);
    while (::write(writer(), filling.data(), filling.size()) > 0) filled_ += filling.size();
    EXPECT_EQ(::fcntl(writer(), F_SETFL, 0), 0);
  }
  [[nodiscard]] int writer() const noexcept { return writer_.get(); }
  void close_writer() noexcept { writer_.reset(); }
  /// Everything that was written to it since, until all writers are gone.
  [[nodiscard]] std::string read_all() const {
    std::string text;
    char piece[4'096];
    for (ssize_t got = 0; (got = ::read(reader_.get(), piece, sizeof piece)) > 0;)
      text.append(piece, static_cast<std::size_t>(got));
    return text.substr(filled_);
  }

 private:
  shm::UniqueFd reader_;
  shm::UniqueFd writer_;
  std::size_t filled_ = 0;
};

void serve_many(Daemon& daemon) {
  for (std::uint8_t number = 1; number <= 40; ++number) {
    RawGuest guest(daemon.socket_path());
    guest.hello("system", number);
    const auto route = guest.subscribe("t");
    ASSERT_NE(route, nullptr);
    const auto outbox = guest.open_outbox();
    ASSERT_NE(outbox, nullptr);
    ASSERT_EQ(guest.publish(*outbox, "t", "x").taken.load(), 1U);
    ASSERT_EQ(route->payloads(), std::vector<std::string>({"x"}));
  }
}

TEST(UnreadLog, a_full_pipe_stops_neither_service_nor_reload_nor_the_end) {
  for (const char* format : {"text", "json"}) {
    FullPipe pipe;
    Daemon daemon({.arguments = {"--log-level", "debug", "--log-format", format},
                   .standard_error = pipe.writer()});
    ASSERT_TRUE(daemon.ready());
    serve_many(daemon);
    daemon.signal(SIGHUP);
    EXPECT_FALSE(daemon.notified("READY=1").empty());
    serve_many(daemon);
    daemon.signal(SIGTERM);
    EXPECT_EQ(daemon.exit_code(), 0);
    EXPECT_TRUE(daemon.segments().empty());
  }
}

TEST(UnreadLog, a_full_pipe_does_not_keep_a_daemon_that_cannot_begin) {
  FullPipe pipe;
  Daemon daemon({.policy = "[[principal]\n", .standard_error = pipe.writer()});
  EXPECT_EQ(daemon.exit_code(), 3);
}

TEST(UnreadLog, what_waits_is_written_when_somebody_reads_again) {
  FullPipe pipe;
  Daemon daemon({.standard_error = pipe.writer()});
  pipe.close_writer();
  ASSERT_TRUE(daemon.ready());
  serve_many(daemon);
  daemon.signal(SIGTERM);
  const std::string text = pipe.read_all();
  EXPECT_EQ(daemon.exit_code(), 0);
  EXPECT_NE(text.find(" has epoch 1"), std::string::npos);
  EXPECT_NE(text.find(" has stopped"), std::string::npos);
}

// What has the number 2 then must not be a segment or a socket.
TEST(UnreadLog, a_closed_standard_error_is_nowhere_and_nothing_else) {
  Daemon daemon({.arguments = {"--log-level", "debug"}, .standard_error = DaemonOptions::kClosed});
  ASSERT_TRUE(daemon.ready());
  if (::geteuid() == 0) {  // nobody else may look into a broker
    const std::string descriptors = "/proc/" + std::to_string(daemon.pid()) + "/fd/";
    EXPECT_EQ(std::filesystem::read_symlink(descriptors + "2"), "/dev/null");
  }
  serve_many(daemon);
  daemon.signal(SIGTERM);
  EXPECT_EQ(daemon.exit_code(), 0);
}

TEST(UnreadLog, a_closed_standard_error_does_not_hide_why_a_daemon_cannot_begin) {
  Daemon daemon({.policy = "[[principal]\n", .standard_error = DaemonOptions::kClosed});
  EXPECT_EQ(daemon.exit_code(), 3);
}

// ---- the log by itself -------------------------------------------------------------------------

constexpr int kLines = 100;
constexpr std::size_t kWaiting = 8;

// In a child, because it writes to the standard error.
std::string write_lines(broker::daemon::LogFormat format, int pipe, Signal& written) {
  ::dup2(pipe, STDERR_FILENO);
  ::close(pipe);
  broker::daemon::LogOutput log(format, broker::LogLevel::info, kWaiting);
  for (int number = 1; number <= kLines; ++number)
    log.add({.message = "line " + std::to_string(number) + "."});
  if (log.finish(std::chrono::milliseconds(1))) return "nobody has read, yet all is written";
  written.send();
  if (!log.finish(kPatience)) return "not everything was written";
  return "";
}

// "7 lines of the log are lost" tells of as many as are missing.
void expect_all_lines_accounted_for(const std::string& text) {
  std::istringstream stream(text);
  int seen = 0;
  int lost = 0;
  int reports = 0;
  for (std::string line; std::getline(stream, line);) {
    const auto report = line.find(" lines of the log are lost: standard error was not read");
    if (report == std::string::npos) {
      ++seen;
      continue;
    }
    ++reports;
    std::size_t begin = report;
    while (begin > 0 && line[begin - 1] >= '0' && line[begin - 1] <= '9') --begin;
    lost += std::stoi(line.substr(begin));
  }
  // A second one if lines were lost already before the first was written.
  EXPECT_TRUE(reports == 1 || reports == 2) << text;
  EXPECT_GE(lost, kLines - static_cast<int>(kWaiting) - 2) << text;
  EXPECT_NE(text.find("line 100."), std::string::npos);
  // The two requests to finish wait in the same queue, and each pushes out a line.
  EXPECT_EQ(seen + lost, kLines) << text;
}

TEST(LogOutput, lines_that_found_no_room_are_counted_in_one_line) {
  using broker::daemon::LogFormat;
  for (const LogFormat format : {LogFormat::text, LogFormat::json}) {
    FullPipe pipe;
    Signal written;
    ChildProcess child([&] { return write_lines(format, pipe.writer(), written); });
    pipe.close_writer();
    ASSERT_TRUE(written.wait()) << child.result();
    expect_all_lines_accounted_for(pipe.read_all());
    EXPECT_EQ(child.result(), "");
  }
}

}  // namespace
}  // namespace fairlead::test
