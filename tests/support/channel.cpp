#include "support/channel.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

#include <fairlead/shm/error.hpp>

namespace fairlead::test {
namespace {

constexpr std::size_t kMostDescriptors = 3;

union ControlBuffer {
  cmsghdr alignment;
  char bytes[CMSG_SPACE(sizeof(int) * kMostDescriptors)];
};

}  // namespace

std::pair<Channel, Channel> Channel::make_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) throw_system("socketpair");
  return {Channel(shm::UniqueFd(ends[0])), Channel(shm::UniqueFd(ends[1]))};
}

void Channel::send(const std::string& frame, const std::vector<int>& descriptors) {
  std::string bytes(sizeof(std::uint64_t), '\0');
  const std::uint64_t length = frame.size();
  std::memcpy(bytes.data(), &length, sizeof length);
  bytes += frame;
  ControlBuffer control{};
  for (std::size_t sent = 0; sent < bytes.size();) {
    iovec part{bytes.data() + sent, bytes.size() - sent};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (sent == 0 && !descriptors.empty()) {
      const std::size_t size = sizeof(int) * descriptors.size();
      message.msg_control = control.bytes;
      message.msg_controllen = CMSG_SPACE(size);
      cmsghdr* header = CMSG_FIRSTHDR(&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN(size);
      std::memcpy(CMSG_DATA(header), descriptors.data(), size);
    }
    const ssize_t now = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL);
    if (now < 0 && errno == EINTR) continue;
    if (now <= 0) throw std::runtime_error("the other end of the channel is gone");
    sent += static_cast<std::size_t>(now);
  }
}

void Channel::receive_exactly(char* into, std::size_t bytes, int patience_milliseconds,
                              std::vector<shm::UniqueFd>& descriptors) {
  ControlBuffer control{};
  for (std::size_t got = 0; got < bytes;) {
    pollfd entry{socket_.get(), POLLIN, 0};
    const int ready = ::poll(&entry, 1, patience_milliseconds);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) throw std::runtime_error("nothing came through the channel in time");
    iovec part{into + got, bytes - got};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof control.bytes;
    const ssize_t now = ::recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC);
    if (now < 0 && errno == EINTR) continue;
    if (now <= 0) throw std::runtime_error("the other end of the channel is gone");
    got += static_cast<std::size_t>(now);
    for (cmsghdr* each = CMSG_FIRSTHDR(&message); each != nullptr;
         each = CMSG_NXTHDR(&message, each)) {
      const std::size_t count = (each->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      int numbers[kMostDescriptors];
      std::memcpy(numbers, CMSG_DATA(each), count * sizeof(int));
      for (std::size_t number = 0; number < count; ++number)
        descriptors.emplace_back(numbers[number]);
    }
  }
}

Channel::Received Channel::receive(int patience_milliseconds) {
  Received received;
  std::uint64_t length = 0;
  receive_exactly(reinterpret_cast<char*>(&length), sizeof length, patience_milliseconds,
                  received.descriptors);
  received.frame.resize(length);
  receive_exactly(received.frame.data(), length, patience_milliseconds, received.descriptors);
  return received;
}

FrameWriter& FrameWriter::number(std::uint64_t value) {
  frame_.append(reinterpret_cast<const char*>(&value), sizeof value);
  return *this;
}

FrameWriter& FrameWriter::text(const std::string& value) {
  number(value.size());
  frame_ += value;
  return *this;
}

std::uint64_t FrameReader::number() {
  std::uint64_t value = 0;
  if (frame_.size() - at_ < sizeof value) throw std::runtime_error("a frame is too short");
  std::memcpy(&value, frame_.data() + at_, sizeof value);
  at_ += sizeof value;
  return value;
}

std::string FrameReader::text() {
  const std::uint64_t length = number();
  if (frame_.size() - at_ < length) throw std::runtime_error("a frame is too short");
  std::string value = frame_.substr(at_, length);
  at_ += length;
  return value;
}

}  // namespace fairlead::test
