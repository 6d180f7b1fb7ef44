// Making the connection; what travels over it is control_socket.cpp.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <cstring>

#include <fairlead/shm/control_socket.hpp>
#include <fairlead/shm/error.hpp>

namespace fairlead::shm {
namespace {

constexpr int kSocketType = SOCK_SEQPACKET | SOCK_CLOEXEC;

sockaddr_un address_of(const std::string& path) {
  if (path.empty() || path.size() > kMaximumSocketPathBytes ||
      path.find('\0') != std::string::npos) {
    throw Error(ErrorCode::invalid_argument, "socket path '" + path + "' must be 1 to " +
                                                 std::to_string(kMaximumSocketPathBytes) +
                                                 " bytes; use a shorter directory");
  }
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

UniqueFd make_socket(int extra_flags) {
  UniqueFd made(::socket(AF_UNIX, kSocketType | extra_flags, 0));
  if (!made) throw_system("cannot make a Unix socket");
  return made;
}

int connect_to(int socket, const sockaddr_un& address) noexcept {
  int result = 0;
  do {
    result = ::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  } while (result != 0 && errno == EINTR);
  return result == 0 ? 0 : errno;
}

bool bind_to(int socket, const sockaddr_un& address) noexcept {
  return ::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

[[noreturn]] void throw_taken(const std::string& path, const std::string& why) {
  throw Error(ErrorCode::socket_taken, "socket path " + path + " is taken: " + why);
}

[[noreturn]] void throw_cannot_listen(const std::string& path) {
  const int error = errno;
  const std::size_t slash = path.rfind('/');
  struct stat found {};
  if (error == ENOENT && slash != std::string::npos) {
    // The part of the path that is missing first.
    std::size_t end = path.find('/', 1);
    while (end < slash && ::stat(path.substr(0, end).c_str(), &found) == 0) {
      end = path.find('/', end + 1);
    }
    throw Error(ErrorCode::system,
                "cannot listen on " + path + ": there is no directory " + path.substr(0, end));
  }
  throw_system("cannot listen on " + path, error);
}

std::string kind_of(mode_t mode) {
  if (S_ISLNK(mode)) return "a symbolic link";
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISFIFO(mode)) return "a FIFO";
  if (S_ISSOCK(mode)) return "a socket";
  return "a file that is no socket";
}

/// Only a socket of our own that refuses connections is a leftover. Everything else is somebody's.
void remove_leftover(const std::string& path, const sockaddr_un& address) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) != 0) return;
  const bool ours = found.st_uid == ::geteuid();
  if (!S_ISSOCK(found.st_mode) || !ours) {
    throw_taken(path, "there is " + kind_of(found.st_mode) +
                          (ours ? "" : ", of uid " + std::to_string(found.st_uid)) +
                          "; remove it or use another path");
  }
  const UniqueFd probe = make_socket(SOCK_NONBLOCK);
  const int error = connect_to(probe.get(), address);
  if (error == ENOENT) return;
  if (error == EPROTOTYPE) {
    throw_taken(path, "another kind of server listens there; stop it or use another path");
  }
  if (error != ECONNREFUSED) {
    throw_taken(path, "a live broker listens there; stop it or use another path");
  }
  struct stat still {};
  const bool same = ::lstat(path.c_str(), &still) == 0 && still.st_ino == found.st_ino &&
                    still.st_dev == found.st_dev;
  if (same && ::unlink(path.c_str()) != 0 && errno != ENOENT) {
    throw_system("cannot remove the socket that a dead broker left at " + path);
  }
}

/// Gives the socket at `path` back what a umask took away. In a shared directory somebody may have
/// put something else there meanwhile: nothing is followed.
void protect_bound(const std::string& path, mode_t mode) {
  struct stat made {};
  const UniqueFd file(::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!file || ::fstat(file.get(), &made) != 0) throw_system("cannot look at " + path);
  if (!S_ISSOCK(made.st_mode) || made.st_uid != ::geteuid()) {
    throw_taken(path, "uid " + std::to_string(made.st_uid) + " put " + kind_of(made.st_mode) +
                          " in the place of ours; use a path that nobody else may write to");
  }
  const std::string by_descriptor = "/proc/self/fd/" + std::to_string(file.get());
  if ((made.st_mode & 07777) != mode && ::chmod(by_descriptor.c_str(), mode) != 0) {
    throw_system("cannot protect " + path);
  }
}

}  // namespace

ControlListener& ControlListener::operator=(ControlListener&& other) noexcept {
  if (this == &other) return *this;
  close();
  socket_ = std::move(other.socket_);
  path_ = std::move(other.path_);
  device_ = other.device_;
  inode_ = other.inode_;
  return *this;
}

ControlListener ControlListener::listen(const std::string& path, mode_t mode, int backlog) {
  const sockaddr_un address = address_of(path);
  ControlListener listener;
  listener.socket_ = make_socket(SOCK_NONBLOCK);
  // The mode of the unbound socket is that of the file to be: so it never is more open than asked
  // for, and the process-wide umask stays as it is.
  if (::fchmod(listener.descriptor(), mode) != 0) throw_system("cannot protect " + path);
  if (!bind_to(listener.descriptor(), address)) {
    if (errno != EADDRINUSE) throw_cannot_listen(path);
    remove_leftover(path, address);
    if (!bind_to(listener.descriptor(), address)) throw_cannot_listen(path);
  }
  // Known before anything else can fail, so that it goes again with the listener.
  struct stat made {};
  if (::lstat(path.c_str(), &made) != 0) throw_system("cannot look at " + path);
  if (S_ISSOCK(made.st_mode) && made.st_uid == ::geteuid()) {
    listener.path_ = path;
    listener.device_ = made.st_dev;
    listener.inode_ = made.st_ino;
  }
  protect_bound(path, mode);
  if (::listen(listener.descriptor(), backlog) != 0) throw_system("cannot listen on " + path);
  return listener;
}

ControlListener::Accepted ControlListener::accept() noexcept {
  Accepted accepted;
  do {
    accepted.socket.reset(::accept4(descriptor(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  } while (!accepted.socket && errno == EINTR);
  // ECONNABORTED: whoever it was has left already.
  if (!accepted.socket && errno != EAGAIN && errno != ECONNABORTED) accepted.error = errno;
  return accepted;
}

void ControlListener::close() noexcept {
  if (!socket_.valid()) return;
  struct stat found {};
  if (inode_ != 0 && ::lstat(path_.c_str(), &found) == 0 && found.st_dev == device_ &&
      found.st_ino == inode_) {
    ::unlink(path_.c_str());
  }
  socket_.reset();
}

UniqueFd connect_control(const std::string& path, std::chrono::nanoseconds timeout) {
  const sockaddr_un address = address_of(path);
  UniqueFd connected = make_socket(0);
  // A non-blocking connect() would fail at once when the backlog is full; the send time-out of a
  // blocking one waits for room. Zero would mean for ever.
  const auto wait = std::max<std::int64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(timeout).count(), 1);
  timeval limit{static_cast<time_t>(wait / 1'000'000), static_cast<suseconds_t>(wait % 1'000'000)};
  ::setsockopt(connected.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  switch (const int error = connect_to(connected.get(), address)) {
    case 0:
      break;
    case ENOENT:
    case ECONNREFUSED:
      throw Error(ErrorCode::broker_gone, "no broker listens on " + path);
    case EACCES:
    case EPERM:
      throw Error(ErrorCode::denied, "no permission to connect to the broker's socket " + path);
    case EAGAIN:
      throw Error(ErrorCode::timeout, "the broker at " + path + " does not accept connections");
    default:
      throw_system("cannot connect to " + path, error);
  }
  limit = {};
  ::setsockopt(connected.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  if (::fcntl(connected.get(), F_SETFL, O_NONBLOCK) != 0) throw_system("cannot use " + path);
  return connected;
}

std::pair<UniqueFd, UniqueFd> control_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, kSocketType | SOCK_NONBLOCK, 0, ends) != 0) {
    throw_system("cannot make a socket pair");
  }
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

PeerCredentials peer_credentials(int socket) {
  ucred peer{};
  socklen_t bytes = sizeof peer;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) != 0) {
    throw_system("cannot tell who is connected");
  }
  return {peer.pid, peer.uid, peer.gid};
}

void request_credentials(int socket) {
  const int on = 1;
  if (::setsockopt(socket, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0) {
    throw_system("cannot ask for the senders' credentials");
  }
}

void refuse_descriptors(int socket) noexcept {
#ifdef SO_PASSRIGHTS
  constexpr int kPassRights = SO_PASSRIGHTS;
#else
  constexpr int kPassRights = 83;  // newer than the system's headers, not than its kernel
#endif
  const int off = 0;
  // An older kernel passes them: then receive_packet() closes them as well as it can.
  (void)::setsockopt(socket, SOL_SOCKET, kPassRights, &off, sizeof off);
}

}  // namespace fairlead::shm
