// The words that people read and write for enumerations of the layout.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <fairlead/shm/layout/route_layout.hpp>

namespace fairlead::tools {

/// "unknown" for any other number.
[[nodiscard]] std::string_view name_of(shm::EvictionPolicy policy) noexcept;
[[nodiscard]] std::string_view name_of(shm::RouteState state) noexcept;
[[nodiscard]] std::string_view name_of(shm::Boundary boundary) noexcept;
[[nodiscard]] std::string_view name_of(shm::LossReason reason) noexcept;
[[nodiscard]] std::string_view name_of(shm::Refusal refusal) noexcept;

/// "all", "exactly:alice", "or-system:alice".
[[nodiscard]] std::string admission_text(shm::AdmissionKind kind, std::string_view principal);

struct Admission {
  shm::AdmissionKind kind = shm::AdmissionKind::all;
  std::string principal;
};
/// The inverse; nothing for any other text.
[[nodiscard]] std::optional<Admission> parse_admission(std::string_view text);
[[nodiscard]] std::optional<shm::EvictionPolicy> parse_policy(std::string_view text) noexcept;

}  // namespace fairlead::tools
