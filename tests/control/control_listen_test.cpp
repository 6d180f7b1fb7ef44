#include <dlfcn.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <utility>

#include <gtest/gtest.h>

#include <fairlead/shm/control_socket.hpp>

#include "support/child_process.hpp"
#include "support/expect_error.hpp"

namespace {
// Called right after a bind(): what somebody may do in a directory that others write to.
std::function<void()> after_bind;
}  // namespace

extern "C" int bind(int socket, const sockaddr* address, socklen_t bytes) noexcept {
  using Bind = int (*)(int, const sockaddr*, socklen_t);
  static const auto real = reinterpret_cast<Bind>(::dlsym(RTLD_NEXT, "bind"));
  const int result = real(socket, address, bytes);
  if (result == 0 && after_bind) std::exchange(after_bind, nullptr)();
  return result;
}

namespace fairlead::shm {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class ControlListen : public ::testing::Test {
 protected:
  void SetUp() override {
    char directory[] = "/tmp/fairlead_socket_XXXXXX";
    ASSERT_NE(::mkdtemp(directory), nullptr);
    directory_ = directory;
    path_ = directory_ + "/broker.socket";
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  bool exists() const { return ::access(path_.c_str(), F_OK) == 0; }

  /// A socket as a killed broker leaves it.
  void leave_a_dead_socket() {
    ControlListener listener = ControlListener::listen(path_, 0600);
    ASSERT_EQ(::rename(path_.c_str(), (path_ + ".kept").c_str()), 0);
    listener.close();
    ASSERT_EQ(::rename((path_ + ".kept").c_str(), path_.c_str()), 0);
  }

  std::string directory_;
  std::string path_;
};

TEST_F(ControlListen, a_guest_connects_and_is_known_to_the_kernel) {
  ControlListener listener = ControlListener::listen(path_, 0600);
  EXPECT_FALSE(listener.accept().socket) << "nobody has come yet, and nobody waited";
  test::Signal connected;
  test::Signal done;
  test::ChildProcess guest([&]() -> std::string {
    const UniqueFd socket = connect_control(path_, seconds(5));
    connected.send();
    return done.wait() ? "" : "lost the test";
  });
  ASSERT_TRUE(connected.wait());
  const ControlListener::Accepted accepted = listener.accept();
  ASSERT_TRUE(accepted.socket);
  EXPECT_EQ(peer_credentials(accepted.socket.get()),
            (PeerCredentials{guest.pid(), ::geteuid(), ::getegid()}));
  done.send();
  EXPECT_EQ(guest.result(), "");
}

TEST_F(ControlListen, a_guest_needs_no_proc) {
  ControlListener listener = ControlListener::listen(path_, 0600);
  test::ChildProcess guest([&]() -> std::string {
    // A root directory that holds the socket and nothing else.
    if (::chroot(directory_.c_str()) != 0 || ::chdir("/") != 0) return test::kSkipped + "no chroot";
    const UniqueFd socket = connect_control("/broker.socket", seconds(5));
    const std::array<std::byte, 1> packet{};
    const std::array<int, 1> itself{socket.get()};
    return send_packet(socket.get(), packet, itself) == SendOutcome::sent ? "" : "not sent";
  });
  const std::string said = guest.result();
  if (said.starts_with(test::kSkipped)) GTEST_SKIP() << said;
  EXPECT_EQ(said, "");
}

TEST_F(ControlListen, the_mode_is_what_was_asked_for_whatever_the_umask) {
  for (const mode_t mask : {mode_t{0}, mode_t{0777}}) {
    const mode_t before = ::umask(mask);
    const ControlListener listener = ControlListener::listen(path_, 0660);
    ::umask(before);
    struct stat found {};
    ASSERT_EQ(::stat(path_.c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 07777, 0660u);
  }
}

TEST_F(ControlListen, a_live_broker_keeps_its_path) {
  ControlListener first = ControlListener::listen(path_, 0600);
  const std::string sentence = test::expect_error(
      ErrorCode::socket_taken, [&] { (void)ControlListener::listen(path_, 0600); });
  EXPECT_NE(sentence.find(path_), std::string::npos);
  EXPECT_NE(sentence.find("a live broker listens there"), std::string::npos) << sentence;
  EXPECT_TRUE(connect_control(path_, seconds(5)));
}

TEST_F(ControlListen, a_live_broker_with_a_full_backlog_keeps_its_path_too) {
  const ControlListener first = ControlListener::listen(path_, 0600, 0);
  const UniqueFd waiting = connect_control(path_, seconds(5));
  test::expect_error(ErrorCode::timeout, [&] { (void)connect_control(path_, milliseconds(10)); });
  test::expect_error(ErrorCode::socket_taken, [&] { (void)ControlListener::listen(path_, 0600); });
}

TEST_F(ControlListen, a_dead_brokers_socket_is_replaced) {
  leave_a_dead_socket();
  ASSERT_TRUE(exists());
  test::expect_error(ErrorCode::broker_gone, [&] { (void)connect_control(path_, seconds(5)); });
  const ControlListener second = ControlListener::listen(path_, 0600);
  EXPECT_TRUE(connect_control(path_, seconds(5)));
}

TEST_F(ControlListen, other_peoples_files_are_left_alone) {
  std::ofstream(path_) << "precious";
  test::expect_error(ErrorCode::socket_taken, [&] { (void)ControlListener::listen(path_, 0600); });
  EXPECT_EQ(std::filesystem::file_size(path_), 8u);
}

TEST_F(ControlListen, another_kind_of_server_keeps_its_path) {
  const UniqueFd server(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, path_.c_str());
  ASSERT_EQ(::bind(server.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(server.get(), 1), 0);
  test::expect_error(ErrorCode::socket_taken, [&] { (void)ControlListener::listen(path_, 0600); });
  EXPECT_TRUE(exists());
}

TEST_F(ControlListen, what_is_put_in_the_place_of_the_socket_is_neither_followed_nor_changed) {
  const std::string precious = directory_ + "/precious";
  std::ofstream(precious) << "precious";
  ASSERT_EQ(::chmod(precious.c_str(), 0600), 0);
  after_bind = [&] {
    ::unlink(path_.c_str());
    ::symlink(precious.c_str(), path_.c_str());
  };
  EXPECT_EQ(test::expect_error(ErrorCode::socket_taken,
                               [&] { (void)ControlListener::listen(path_, 0666); }),
            "socket path " + path_ + " is taken: uid " + std::to_string(::geteuid()) +
                " put a symbolic link in the place of ours; use a path that nobody else may write "
                "to");
  struct stat found {};
  ASSERT_EQ(::stat(precious.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 07777, 0600U);
  EXPECT_TRUE(std::filesystem::is_symlink(path_)) << "not ours to remove";
}

TEST_F(ControlListen, a_socket_is_removed_again_when_there_is_no_descriptor_to_protect_it) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  after_bind = [&] {
    const rlimit none{0, before.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &none);
  };
  const std::string sentence = test::expect_error(ErrorCode::limit, [&] {
    // Before anybody looks at the error: the sanitizers' look needs a descriptor.
    const std::unique_ptr<rlimit, void (*)(rlimit*)> restore(
        &before, [](rlimit* limit) { ::setrlimit(RLIMIT_NOFILE, limit); });
    (void)ControlListener::listen(path_, 0600);
  });
  EXPECT_EQ(sentence, "cannot look at " + path_ + ": Too many open files (EMFILE)");
  EXPECT_FALSE(exists());
}

TEST_F(ControlListen, another_users_socket_stays_even_when_nobody_listens) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to be two users";
  leave_a_dead_socket();
  ASSERT_EQ(::chown(path_.c_str(), 65'534, 65'534), 0);
  EXPECT_EQ(test::expect_error(ErrorCode::socket_taken,
                               [&] { (void)ControlListener::listen(path_, 0600); }),
            "socket path " + path_ +
                " is taken: there is a socket, of uid 65534; remove it or use another path");
  EXPECT_TRUE(exists());
}

TEST_F(ControlListen, closing_removes_the_path_but_not_a_successors) {
  ControlListener first = ControlListener::listen(path_, 0600);
  ASSERT_EQ(::unlink(path_.c_str()), 0);
  ControlListener second = ControlListener::listen(path_, 0600);
  first.close();
  EXPECT_TRUE(exists());
  ControlListener moved = std::move(second);
  second.close();
  EXPECT_TRUE(exists());
  moved = ControlListener();
  EXPECT_FALSE(exists());
}

TEST_F(ControlListen, refusals_to_connect_have_codes) {
  test::expect_error(ErrorCode::broker_gone, [&] { (void)connect_control(path_, seconds(5)); });
  const std::string long_path = directory_ + "/" + std::string(kMaximumSocketPathBytes, 'x');
  test::expect_error(ErrorCode::invalid_argument,
                     [&] { (void)connect_control(long_path, seconds(5)); });
  test::expect_error(ErrorCode::invalid_argument, [&] { (void)connect_control("", seconds(5)); });
  test::expect_error(ErrorCode::invalid_argument,
                     [&] { (void)ControlListener::listen(long_path, 0600); });
  test::expect_error(ErrorCode::system, [&] {
    (void)ControlListener::listen(directory_ + "/no/such/directory", 0600);
  });
}

TEST_F(ControlListen, another_user_is_denied_by_the_mode) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to be two users";
  ASSERT_EQ(::chmod(directory_.c_str(), 0755), 0);
  const ControlListener listener = ControlListener::listen(path_, 0600);
  test::ChildProcess other([&]() -> std::string {
    if (::setresuid(65'534, 65'534, 65'534) != 0) return "setresuid";
    try {
      (void)connect_control(path_, seconds(5));
      return "connected";
    } catch (const Error& error) {
      return std::string(to_string(error.code())) + ": " + error.what();
    }
  });
  EXPECT_EQ(other.result(), "denied: no permission to connect to the broker's socket " + path_);
}

}  // namespace
}  // namespace fairlead::shm
