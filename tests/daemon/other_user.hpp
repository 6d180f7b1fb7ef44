// What another user than the broker's may try on its memory, its names and its process.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <vector>

namespace fairlead::test {

inline constexpr uid_t kVisitor = 65'534;
inline constexpr uid_t kStranger = 65'533;

/// In a child, for good. Dumpable again, so that only file modes protect what /proc shows of it.
bool become(uid_t user);

// What went wrong is collected; a child tells it as its result.
class Findings {
 public:
  void expect(bool right, const std::string& what);
  [[nodiscard]] const std::string& text() const noexcept { return text_; }

 private:
  std::string text_;
};

bool can_open(const std::string& path, int how);

// Memory that one has a descriptor of, and the name that it has somewhere.
struct Memory {
  int descriptor = -1;
  std::size_t bytes = 0;
  std::string path;
};

enum class OnOwn : unsigned char { file, sealable, nothing };  // on what of one's own it succeeds

struct MemoryAttempt {
  const char* name;
  OnOwn own;
  bool (*succeeds)(const Memory& memory);
};
[[nodiscard]] const std::vector<MemoryAttempt>& memory_attempts();

struct ProcessAttempt {
  const char* name;
  bool (*succeeds)(pid_t process);
};
/// What needs the right to look into a process, and what only needs its uid.
[[nodiscard]] const std::vector<ProcessAttempt>& inspections();
[[nodiscard]] const std::vector<ProcessAttempt>& meddlings();

/// Names of those that succeed.
[[nodiscard]] std::string successes(const std::vector<ProcessAttempt>& attempts, pid_t process);
[[nodiscard]] std::string successes(const Memory& memory);

}  // namespace fairlead::test
