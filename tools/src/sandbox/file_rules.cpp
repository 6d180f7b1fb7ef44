#include "sandbox/file_rules.hpp"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include <fairlead/shm/error.hpp>
#include <fairlead/shm/unique_fd.hpp>

namespace fairlead::tools::sandbox {
namespace {

// <linux/landlock.h> of Debian 12 ends with version 2; these are of later kernels.
struct RulesetAttributes {
  std::uint64_t handled_access_fs;
  std::uint64_t handled_access_net;
  std::uint64_t scoped;
};
constexpr std::uint64_t kRefer = 1ULL << 13;     // version 2
constexpr std::uint64_t kTruncate = 1ULL << 14;  // 3
constexpr std::uint64_t kNetwork = 3;            // 4: TCP bind and connect
constexpr std::uint64_t kDevices = 1ULL << 15;   // 5: ioctl() of devices
constexpr std::uint64_t kScopes = 3;             // 6: abstract UNIX sockets, signals

constexpr std::uint64_t kFirstVersion = (1ULL << 13) - 1;
constexpr std::uint64_t kReadFile = LANDLOCK_ACCESS_FS_READ_FILE;
constexpr std::uint64_t kReadDirectory = LANDLOCK_ACCESS_FS_READ_DIR;
constexpr std::uint64_t kExecute = LANDLOCK_ACCESS_FS_EXECUTE;

RulesetAttributes attributes_of(int version) {
  RulesetAttributes all{kFirstVersion, 0, 0};
  if (version >= 2) all.handled_access_fs |= kRefer;
  if (version >= 3) all.handled_access_fs |= kTruncate;
  if (version >= 4) all.handled_access_net = kNetwork;
  if (version >= 5) all.handled_access_fs |= kDevices;
  if (version >= 6) all.scoped = kScopes;
  return all;
}

// An older kernel takes what it knows, or more if that is zero.
std::size_t size_for(int version) {
  if (version >= 6) return sizeof(RulesetAttributes);
  return version >= 4 ? 2 * sizeof(std::uint64_t) : sizeof(std::uint64_t);
}

void allow_to_read(int ruleset, const FileRule& rule) {
  const shm::UniqueFd place(::open(rule.path.c_str(), O_PATH | O_CLOEXEC));
  struct stat found {};
  if (!place || ::fstat(place.get(), &found) != 0) return;
  landlock_path_beneath_attr beneath{};
  beneath.parent_fd = place.get();
  beneath.allowed_access = kReadFile | (rule.execute ? kExecute : 0);
  if (S_ISDIR(found.st_mode)) beneath.allowed_access |= kReadDirectory;
  if (::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) != 0) {
    throw_system("cannot let Landlock read " + rule.path);
  }
}

}  // namespace

int landlock_version() noexcept {
  const long version =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return static_cast<int>(std::max(version, 0L));
}

std::string landlock_text(int version) {
  if (version <= 0) return "this kernel has no Landlock: binds and system calls alone hold";
  std::string text = "this kernel has version " + std::to_string(version) +
                     ": no writing, creating, removing, renaming";
  if (version >= 3) text += ", truncating";
  if (version >= 4) text += "; no TCP";
  if (version >= 5) text += "; no ioctl() of devices";
  if (version >= 6) text += "; no abstract sockets and no signals to outside";
  return text;
}

void restrict_files(const std::vector<FileRule>& rules) {
  const int version = landlock_version();
  const RulesetAttributes attributes = attributes_of(version);
  const shm::UniqueFd ruleset(
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, size_for(version), 0)));
  if (!ruleset) throw_system("cannot make Landlock rules");
  for (const FileRule& rule : rules) allow_to_read(ruleset.get(), rule);
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0) {
    throw_system("cannot apply Landlock rules");
  }
}

}  // namespace fairlead::tools::sandbox
