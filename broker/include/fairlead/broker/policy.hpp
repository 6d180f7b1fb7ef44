// The policy of a broker: who may attach as whom, and what they may do then.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <fairlead/broker/policy_model.hpp>
#include <fairlead/shm/error.hpp>

namespace fairlead::broker {

/// A policy file with faults; code policy_invalid. what() is the first problem, and how many more
/// there are.
class PolicyError : public Error {
 public:
  /// `problems`: at least one.
  explicit PolicyError(std::vector<std::string> problems);

  /// Every problem as "file:line:column: sentence", or "file: sentence" where it is about the file
  /// as a whole, in the order of the file.
  [[nodiscard]] const std::vector<std::string>& problems() const noexcept { return *problems_; }

 private:
  std::shared_ptr<const std::vector<std::string>> problems_;  // copies may not throw
};

// Whether a peer may be a principal. The rule stays valid when the policy is replaced by another.
struct AttachDecision {
  bool allowed = false;
  std::string principal;  // canonical: empty for the system principal
  std::shared_ptr<const PrincipalRule> rule;
  // Whose quotas and rates such a guest uses up: the principal's own, or, if it chose its name out
  // of a family, those that all names of this family and user share. No guest chooses this.
  std::string payer;
  ErrorCode code = ErrorCode::denied;  // when refused: for the answer to the guest,
  std::string sentence;                // with this sentence
};

// Immutable after loading; const calls are safe from several threads. Copies share their rules.
class Policy {
 public:
  /// What holds without a file: the broker's own user may do everything, others nothing.
  static Policy without_file(std::uint32_t own_uid);

  /// Reads and checks the whole file. Throws PolicyError with all problems;
  /// Error(not_found, denied, system) when the file cannot be read.
  static Policy load(const std::filesystem::path& path, std::uint32_t own_uid);

  /// The same for text; `file_name` is for the messages only.
  static Policy parse(std::string_view text, std::string_view file_name, std::uint32_t own_uid);

  /// Every problem of a policy text as "file:line:column: sentence", in the order of the file.
  [[nodiscard]] static std::vector<std::string> problems_of(std::string_view text,
                                                            std::string_view file_name,
                                                            std::uint32_t own_uid);

  /// May the peer attach as `requested`? People may write "system"; empty means the one principal
  /// that the policy names for this user. `pinned` is the canonical principal that a minter fixed
  /// for the connection (decide_mint allowed it); then nothing else may be requested.
  [[nodiscard]] AttachDecision decide_attach(
      const Peer& peer, std::string_view requested,
      std::optional<std::string_view> pinned = std::nullopt) const;

  /// The same for a guest that is attached already, under a policy that was reloaded: `principal`
  /// is what it attached as, in canonical form, so empty is the system principal.
  [[nodiscard]] AttachDecision decide_again(
      const Peer& peer, std::string_view principal,
      std::optional<std::string_view> pinned = std::nullopt) const;

  /// May the peer hand a connection of this principal to a guest that it starts?
  [[nodiscard]] AttachDecision decide_mint(const Peer& peer, std::string_view requested) const;

  /// The rule for a canonical principal name: the exact one, else the longest prefix; or null.
  [[nodiscard]] std::shared_ptr<const PrincipalRule> rule_of(std::string_view principal) const;

  [[nodiscard]] const BrokerLimits& broker() const noexcept { return broker_; }
  [[nodiscard]] const std::vector<std::shared_ptr<const PrincipalRule>>& principals()
      const noexcept {
    return rules_;
  }
  [[nodiscard]] const std::vector<MinterRule>& minters() const noexcept { return minters_; }
  [[nodiscard]] bool has_file() const noexcept { return has_file_; }

 private:
  friend class PolicyLoader;
  Policy() = default;
  void add(PrincipalRule rule);
  [[nodiscard]] AttachDecision decide_own_principal(const Peer& peer) const;

  BrokerLimits broker_;
  std::vector<std::shared_ptr<const PrincipalRule>> rules_;  // as in the file
  std::unordered_map<std::string, std::shared_ptr<const PrincipalRule>> exact_;
  std::vector<std::shared_ptr<const PrincipalRule>> prefixes_;  // longest first
  std::vector<MinterRule> minters_;
  std::uint32_t own_uid_ = 0;
  bool has_file_ = false;
};

}  // namespace fairlead::broker
