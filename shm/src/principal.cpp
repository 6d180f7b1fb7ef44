#include <fairlead/shm/principal.hpp>

#include <fairlead/shm/constants.hpp>

namespace fairlead::shm {
namespace {

constexpr bool is_principal_byte(char byte) noexcept {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
         (byte >= '0' && byte <= '9') || byte == '_' || byte == '.' || byte == ':' || byte == '@' ||
         byte == '-';
}

}  // namespace

PrincipalProblem check_principal(std::string_view name) noexcept {
  if (name.size() > kMaximumPrincipalBytes) return PrincipalProblem::too_long;
  for (const char byte : name) {
    if (!is_principal_byte(byte)) return PrincipalProblem::bad_byte;
  }
  if (name == kSystemPrincipalText) return PrincipalProblem::reserved;
  return PrincipalProblem::none;
}

std::string_view sentence_of(PrincipalProblem problem) noexcept {
  static_assert(kMaximumPrincipalBytes == 128, "the sentence says so");
  switch (problem) {
    case PrincipalProblem::none:
      return "";
    case PrincipalProblem::too_long:
      return "it is longer than 128 bytes";
    case PrincipalProblem::bad_byte:
      return "it holds a byte other than letters, digits, '_', '.', ':', '@' and '-'";
    case PrincipalProblem::reserved:
      return "the system principal's name is the empty one: no other may be called 'system'";
  }
  return "it is not a principal's name";
}

PrincipalClass class_of(std::string_view name) noexcept {
  if (name.empty()) return PrincipalClass::system;
  if (name.starts_with("agent.") || name.starts_with("agent:")) return PrincipalClass::agent;
  return PrincipalClass::user;
}

std::string_view to_string(PrincipalClass principal_class) noexcept {
  switch (principal_class) {
    case PrincipalClass::system:
      return "system";
    case PrincipalClass::user:
      return "user";
    case PrincipalClass::agent:
      return "agent";
  }
  return "unknown";
}

std::string_view canonical_principal(std::string_view written) noexcept {
  return written == kSystemPrincipalText ? std::string_view{} : written;
}

std::string_view displayed_principal(std::string_view name) noexcept {
  return name.empty() ? kSystemPrincipalText : name;
}

}  // namespace fairlead::shm
