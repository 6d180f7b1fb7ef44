#include "attach/known_user.hpp"

#include <fstream>
#include <string>

namespace fairlead::broker {
namespace {

constexpr std::uint32_t kUsualOverflow = 65'534;

std::uint32_t overflow_number(const std::string& proc, const std::string& name) {
  std::ifstream file(proc + "/sys/kernel/overflow" + name);
  std::uint32_t number = 0;
  return file >> number ? number : kUsualOverflow;
}

}  // namespace

bool says_who(IdentityKind kind, std::uint32_t number, std::string_view proc) {
  const std::string name = kind == IdentityKind::user ? "uid" : "gid";
  const std::string root(proc);
  if (number != overflow_number(root, name)) return true;
  std::ifstream map(root + "/self/" + name + "_map");
  std::uint64_t first = 0;
  std::uint64_t outside = 0;
  std::uint64_t count = 0;
  while (map >> first >> outside >> count) {
    if (number >= first && number - first < count) return true;
  }
  return false;
}

}  // namespace fairlead::broker
