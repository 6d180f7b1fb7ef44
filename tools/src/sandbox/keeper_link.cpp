#include "sandbox/keeper_link.hpp"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <fairlead/shm/error.hpp>

namespace fairlead::tools::sandbox {
namespace {

// The kernel tells who sent it, as our PID namespace sees it. 0 when nothing comes any more.
pid_t receive_sender(int socket) {
  char byte = 0;
  iovec part{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(ucred))];
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t got = 0;
  while ((got = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR) {
  }
  const cmsghdr* header = got == 1 ? CMSG_FIRSTHDR(&message) : nullptr;
  if (header == nullptr || header->cmsg_type != SCM_CREDENTIALS) return 0;
  ucred sender{};
  std::memcpy(&sender, CMSG_DATA(header), sizeof sender);
  return sender.pid;
}

}  // namespace

KeeperLink::KeeperLink() {
  int ends[2];
  const int on = 1;
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    throw_system("cannot make a socket");
  }
  ours_.reset(ends[0]);
  theirs_.reset(ends[1]);
  if (::setsockopt(ours_.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0) {
    throw_system("cannot ask for the sender of a packet");
  }
}

shm::UniqueFd KeeperLink::wait_for_launcher() {
  theirs_.reset();
  const pid_t launcher = receive_sender(ours_.get());
  if (launcher <= 0) return {};
  launched_ = true;
  // It waits for our answer, so the number is still its own.
  shm::UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, launcher, 0)));
  const char answer = 1;
  (void)!::send(ours_.get(), &answer, 1, MSG_NOSIGNAL);
  ours_.reset();
  return process;
}

}  // namespace fairlead::tools::sandbox
