// Limits and mounts: what this machine gives, and whether it is enough. Looking and judging are
// apart, so that a test can judge machines that it does not have.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "doctor/finding.hpp"

namespace fairlead::tools::doctor {

struct SharedMemoryFacts {
  bool there = false;  // a directory
  bool tmpfs = false;
  bool writable = false;  // for this user
  bool sticky = false;    // others cannot remove our names
  std::uint64_t total_bytes = 0;
  std::uint64_t free_bytes = 0;
};
[[nodiscard]] SharedMemoryFacts look_at_shared_memory(const std::string& directory);
[[nodiscard]] Finding judge_shared_memory(const SharedMemoryFacts& facts,
                                          const std::string& directory);

struct OpenFilesFacts {
  std::uint64_t soft = 0;  // RLIMIT_NOFILE
  std::uint64_t hard = 0;
};
[[nodiscard]] OpenFilesFacts look_at_open_files();
[[nodiscard]] Finding judge_open_files(const OpenFilesFacts& facts);

/// vm.max_map_count; nothing when it cannot be read.
[[nodiscard]] std::optional<std::uint64_t> look_at_mappings();
[[nodiscard]] Finding judge_mappings(std::optional<std::uint64_t> most);

struct SocketPlaceFacts {
  std::string directory;
  bool there = false;
  bool usable = false;  // we can make sockets in it, or make it
};
/// Of the directory that brokers listen in unless told otherwise.
[[nodiscard]] SocketPlaceFacts look_at_socket_place(const std::string& default_socket_path);
[[nodiscard]] Finding judge_socket_place(const SocketPlaceFacts& facts);

}  // namespace fairlead::tools::doctor
