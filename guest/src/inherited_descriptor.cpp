#include "inherited_descriptor.hpp"

#include <fcntl.h>
#include <sys/socket.h>

#include <atomic>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include <fairlead/guest/attach.hpp>
#include <fairlead/shm/error.hpp>

namespace fairlead::guest {
namespace {

// Its number may belong to anything once the first attachment has closed it, so it is used once.
std::atomic<bool> taken{false};

int number_in(const char* variable, std::string_view text) {
  int number = -1;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() || number < 0) {
    throw Error(ErrorCode::invalid_argument,
                std::string(variable) + " is '" + std::string(text) + "', not a descriptor number");
  }
  return number;
}

}  // namespace

void require_control_socket(int descriptor, const char* what) {
  int type = 0;
  int domain = 0;
  socklen_t bytes = sizeof type;
  const bool sound = ::getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &bytes) == 0 &&
                     ::getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &domain, &bytes) == 0 &&
                     type == SOCK_SEQPACKET && domain == AF_UNIX;
  if (sound) return;
  throw Error(ErrorCode::invalid_argument,
              std::string(what) +
                  " does not lead to a broker: it is not open, or not a connected "
                  "SOCK_SEQPACKET socket; start this program under `fairlead run`");
}

shm::UniqueFd take_inherited_descriptor() {
  const char* text = std::getenv(kInheritedDescriptorVariable);
  if (text == nullptr) {
    throw Error(ErrorCode::not_found,
                "neither a socket path nor FAIRLEAD_FD says where the broker is; give the path of "
                "its socket, or start this program under `fairlead run`");
  }
  const int number = number_in(kInheritedDescriptorVariable, text);
  if (taken.exchange(true)) {
    throw Error(ErrorCode::not_found,
                "the connection in FAIRLEAD_FD serves one attachment, and this process has had it");
  }
  try {
    require_control_socket(number, "the descriptor in FAIRLEAD_FD");
  } catch (...) {
    taken = false;
    throw;
  }
  ::fcntl(number, F_SETFD, FD_CLOEXEC);  // ours alone from now on
  return shm::UniqueFd(number);
}

int find_keeper_descriptor() {
  const char* text = std::getenv(kKeeperDescriptorVariable);
  if (text == nullptr) return -1;
  const int number = number_in(kKeeperDescriptorVariable, text);
  require_control_socket(number, "the descriptor in FAIRLEAD_KEEPER_FD");
  ::fcntl(number, F_SETFD, FD_CLOEXEC);
  return number;
}

}  // namespace fairlead::guest
