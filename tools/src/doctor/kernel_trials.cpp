// The trying half of kernel_checks.hpp.
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>

#include <fairlead/shm/control_socket.hpp>
#include <fairlead/shm/error.hpp>
#include <fairlead/shm/segment.hpp>

#include "doctor/kernel_checks.hpp"

namespace fairlead::tools::doctor {
namespace {

constexpr std::size_t kPage = 4'096;

// A mapping that is gone with its object.
class Mapping {
 public:
  Mapping(int descriptor, int protection)
      : address_(::mmap(nullptr, kPage, protection, MAP_SHARED, descriptor, 0)) {}
  ~Mapping() {
    if (valid()) ::munmap(address_, kPage);
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  [[nodiscard]] bool valid() const noexcept { return address_ != MAP_FAILED; }
  [[nodiscard]] void* address() const noexcept { return address_; }

 private:
  void* address_;
};

shm::Segment make_sealed() {
  return shm::Segment::create_sealed("fairlead-doctor", kPage, shm::SealMode::broker_written);
}

template <class Trial>
std::string attempt(Trial&& trial) {
  try {
    return trial();
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace

std::string try_sealed_memory() {
  return attempt([]() -> std::string {
    const shm::Segment segment = make_sealed();
    // What the seal is for: nobody maps it writable any more.
    const Mapping writable(segment.descriptor(), PROT_READ | PROT_WRITE);
    return writable.valid() ? "the kernel takes the seal and does not keep to it" : "";
  });
}

std::string try_read_only_futex() {
  return attempt([]() -> std::string {
    const shm::Segment segment = make_sealed();
    const Mapping mapping(segment.descriptor(), PROT_READ);
    if (!mapping.valid()) return "cannot map it: " + system_error_text(errno);
    const timespec millisecond{0, 1'000'000};
    const long result =
        ::syscall(SYS_futex, mapping.address(), FUTEX_WAIT, 0, &millisecond, nullptr, 0);
    if (result == 0 || errno == ETIMEDOUT || errno == EINTR) return "";
    return system_error_text(errno);
  });
}

std::string try_descriptor_passing() {
  return attempt([]() -> std::string {
    const shm::Segment segment = make_sealed();
    const auto [here, there] = shm::control_pair();
    std::array<std::byte, 1> packet{};
    const std::array<int, 1> descriptors = {segment.descriptor()};
    if (shm::send_packet(here.get(), packet, descriptors) != shm::SendOutcome::sent) {
      return "it cannot be sent";
    }
    const auto received = shm::receive_packet(there.get(), packet, descriptors.size());
    return received.descriptors.size() == descriptors.size() ? "" : "it does not arrive";
  });
}

std::string try_membarrier() {
  const long offered = ::syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
  if (offered < 0) return system_error_text(errno);
  return (offered & MEMBARRIER_CMD_PRIVATE_EXPEDITED) != 0 ? "" : "not among its commands";
}

std::string try_process_descriptor() {
  const shm::UniqueFd descriptor(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
  return descriptor ? "" : system_error_text(errno);
}

std::string try_user_namespace() {
  const pid_t child = ::fork();
  if (child < 0) return system_error_text(errno);
  if (child == 0) ::_exit(::unshare(CLONE_NEWUSER) == 0 ? 0 : errno);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return system_error_text(errno);
  }
  if (!WIFEXITED(status)) return "the attempt was killed";
  return WEXITSTATUS(status) == 0 ? "" : system_error_text(WEXITSTATUS(status));
}

std::string find_program(const std::string& program) {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nobody changes the environment
  const char* variable = std::getenv("PATH");
  std::string_view rest = variable == nullptr ? "" : variable;
  while (!rest.empty()) {
    const std::size_t colon = rest.find(':');
    std::string path = std::string(rest.substr(0, colon)) + '/' + program;
    struct stat found {};
    if (::access(path.c_str(), X_OK) == 0 && ::stat(path.c_str(), &found) == 0 &&
        S_ISREG(found.st_mode)) {
      return path;
    }
    rest = colon == std::string_view::npos ? std::string_view{} : rest.substr(colon + 1);
  }
  return "";
}

}  // namespace fairlead::tools::doctor
