// Policy: reading files and texts.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <utility>

#include <fairlead/broker/policy.hpp>
#include <fairlead/shm/unique_fd.hpp>

#include "policy/policy_loader.hpp"
#include "policy/shown_text.hpp"

namespace fairlead::broker {
namespace {

constexpr std::size_t kLargestFileBytes = 1024 * 1024;

[[noreturn]] void refuse_file(const std::string& name, std::string_view why) {
  throw PolicyError({name + ": " + std::string(why)});
}

std::string summary_of(const std::vector<std::string>& problems) {
  if (problems.size() == 1) return problems.front();
  return problems.front() + " (and " + std::to_string(problems.size() - 1) + " more problem" +
         (problems.size() > 2 ? "s)" : ")");
}

// Whoever can write the file decides who may attach.
void check_kind_and_mode(int file, const std::string& name) {
  struct stat status {};
  if (fstat(file, &status) != 0) throw_system("cannot examine the policy file " + name);
  if (!S_ISREG(status.st_mode)) refuse_file(name, "this is not a regular file");
  if ((status.st_mode & S_IWOTH) != 0) {
    refuse_file(name, "everybody may write this file, so it cannot be a policy: chmod o-w it");
  }
}

std::string read_policy_file(const std::filesystem::path& path) {
  const std::string name = path.string();
  const shm::UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) {
    const int error = errno;
    if (error != ENOENT && error != ENOTDIR) {
      throw_system("cannot open the policy file " + shown(name, 200), error);
    }
    throw Error(ErrorCode::not_found, "there is no policy file " + shown(name, 200));
  }
  check_kind_and_mode(file.get(), name);
  std::string text(kLargestFileBytes + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = read(file.get(), text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_system("cannot read the policy file " + shown(name, 200));
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size > kLargestFileBytes) refuse_file(name, "this is larger than 1 MiB, hardly a policy");
  text.resize(size);
  return text;
}

}  // namespace

PolicyError::PolicyError(std::vector<std::string> problems)
    : Error(ErrorCode::policy_invalid, summary_of(problems)),
      problems_(std::make_shared<const std::vector<std::string>>(std::move(problems))) {}

Policy Policy::load(const std::filesystem::path& path, std::uint32_t own_uid) {
  return parse(read_policy_file(path), path.string(), own_uid);
}

Policy Policy::parse(std::string_view text, std::string_view file_name, std::uint32_t own_uid) {
  PolicyProblems problems(file_name);
  std::optional<Policy> policy = PolicyLoader(problems, own_uid, getegid()).load(text);
  if (policy) return std::move(*policy);
  throw PolicyError(problems.lines());
}

std::vector<std::string> Policy::problems_of(std::string_view text, std::string_view file_name,
                                             std::uint32_t own_uid) {
  PolicyProblems problems(file_name);
  if (PolicyLoader(problems, own_uid, getegid()).load(text)) return {};
  return problems.lines();
}

}  // namespace fairlead::broker
