#include "doctor/machine_checks.hpp"

#include <linux/magic.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <fstream>

#include "text/printable.hpp"

namespace fairlead::tools::doctor {
namespace {

constexpr std::uint64_t kMiB = 1024 * 1024;
// A route's cap is 4 MiB unless told otherwise. Docker's default for all of it is 64 MiB.
constexpr std::uint64_t kTooSmallBytes = 8 * kMiB;
constexpr std::uint64_t kSmallBytes = 128 * kMiB;

// A broker keeps about four descriptors per guest and three per route.
constexpr std::uint64_t kTooFewFiles = 64;
constexpr std::uint64_t kFewFiles = 4'096;

constexpr std::uint64_t kUsualMappings = 65'530;

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  return slash == std::string::npos || slash == 0 ? "/" : path.substr(0, slash);
}

bool is_directory(const std::string& path) {
  struct stat found {};
  return ::stat(path.c_str(), &found) == 0 && S_ISDIR(found.st_mode);
}

std::string file_limit_advice() {
  return "raise it: ulimit -n 65536, or LimitNOFILE=65536 in the service";
}

}  // namespace

SharedMemoryFacts look_at_shared_memory(const std::string& directory) {
  SharedMemoryFacts facts;
  struct stat found {};
  struct statfs mount {};
  if (::stat(directory.c_str(), &found) != 0 || !S_ISDIR(found.st_mode)) return facts;
  facts.there = true;
  facts.sticky = (found.st_mode & S_ISVTX) != 0 || (found.st_mode & S_IWOTH) == 0;
  facts.writable = ::access(directory.c_str(), W_OK | X_OK) == 0;
  if (::statfs(directory.c_str(), &mount) != 0) return facts;
  facts.tmpfs = mount.f_type == TMPFS_MAGIC;
  const auto block = static_cast<std::uint64_t>(mount.f_bsize);
  facts.total_bytes = mount.f_blocks * block;
  facts.free_bytes = mount.f_bavail * block;
  return facts;
}

Finding judge_shared_memory(const SharedMemoryFacts& facts, const std::string& directory) {
  Finding finding{.id = "shared-memory", .status = Status::fail, .what = directory, .advice = {}};
  if (!facts.there) {
    finding.what += " is not there";
    finding.advice = "mount it: mount -t tmpfs -o mode=1777 tmpfs " + directory;
    return finding;
  }
  if (!facts.tmpfs) {
    finding.what += " is no tmpfs: segments would be written to a disk";
    finding.advice = "mount one there: mount -t tmpfs -o mode=1777 tmpfs " + directory;
    return finding;
  }
  if (!facts.writable) {
    finding.what += " is not writable for this user";
    finding.advice = "mount it with mode=1777 and not read-only";
    return finding;
  }
  // A tmpfs of size 0 has no limit of its own.
  const bool limited = facts.total_bytes != 0;
  finding.what += " is a tmpfs of " + (limited ? bytes_text(facts.total_bytes) + ", " +
                                                     bytes_text(facts.free_bytes) + " free"
                                               : std::string("no fixed size"));
  if (!facts.sticky) {
    finding.what += ", and lets everybody remove other users' segments";
    finding.advice = "chmod +t " + directory;
    return finding;
  }
  if (limited && facts.free_bytes < kSmallBytes) {
    finding.status = facts.free_bytes < kTooSmallBytes ? Status::fail : Status::warn;
    finding.advice = "a route takes up to 4 MiB; remount it larger: mount -o remount,size=1G " +
                     directory + ", in a container --shm-size=1g";
    return finding;
  }
  finding.status = Status::ok;
  return finding;
}

OpenFilesFacts look_at_open_files() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return {};
  return {limit.rlim_cur, limit.rlim_max};
}

Finding judge_open_files(const OpenFilesFacts& facts) {
  Finding finding{.id = "open-files", .status = Status::ok, .what = {}, .advice = {}};
  const auto shown = [](std::uint64_t limit) {
    return limit == RLIM_INFINITY ? std::string("unlimited") : std::to_string(limit);
  };
  finding.what =
      "a process may open " + shown(facts.soft) + " files (" + shown(facts.hard) + " at most)";
  if (facts.soft >= kFewFiles) return finding;
  finding.status = facts.soft < kTooFewFiles ? Status::fail : Status::warn;
  finding.what += ", a broker needs about four per guest and three per route";
  finding.advice = file_limit_advice();
  return finding;
}

std::optional<std::uint64_t> look_at_mappings() {
  std::ifstream file("/proc/sys/vm/max_map_count");
  std::uint64_t most = 0;
  if (!(file >> most)) return std::nullopt;
  return most;
}

Finding judge_mappings(std::optional<std::uint64_t> most) {
  Finding finding{.id = "mappings", .status = Status::warn, .what = {}, .advice = {}};
  if (!most) {
    finding.what = "vm.max_map_count cannot be read";
    finding.advice = "is /proc mounted?";
    return finding;
  }
  finding.what = "a process may have " + std::to_string(*most) + " mappings, a route takes two";
  if (*most >= kUsualMappings) {
    finding.status = Status::ok;
  } else {
    finding.advice = "raise it for many routes: sysctl vm.max_map_count=65530";
  }
  return finding;
}

SocketPlaceFacts look_at_socket_place(const std::string& default_socket_path) {
  SocketPlaceFacts facts;
  facts.directory = parent_of(default_socket_path);
  facts.there = is_directory(facts.directory);
  const std::string& where = facts.there ? facts.directory : parent_of(facts.directory);
  facts.usable = is_directory(where) && ::access(where.c_str(), W_OK | X_OK) == 0;
  return facts;
}

Finding judge_socket_place(const SocketPlaceFacts& facts) {
  Finding finding{.id = "socket-directory", .status = Status::ok, .what = {}, .advice = {}};
  finding.what = facts.directory + (facts.there ? " is there" : " is not there yet");
  if (facts.usable) {
    finding.what += facts.there ? ", brokers can listen in it" : ", a broker makes it";
    return finding;
  }
  finding.status = Status::warn;
  finding.what += ", this user cannot listen in it";
  finding.advice = "set XDG_RUNTIME_DIR, or give broker and guests a --socket of your own";
  return finding;
}

}  // namespace fairlead::tools::doctor
