// Plays the guest that changes its shared memory at any moment, in one thread: every load that the
// broker makes of it comes through here, is counted, and may see something else.
#pragma once

#ifndef FAIRLEAD_UNTRUSTED_HOOK
#error "see hooked.cmake"
#endif

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include <fairlead/shm/untrusted.hpp>

#include "choices.hpp"
#include "words.hpp"

namespace fairlead::hostile {

/// What a hostile guest may write.
struct Watched {
  std::span<std::byte> memory;
  Word (*word_at)(std::size_t offset) noexcept;
  /// For words of which nonsense ends the guest: something that it might well have written.
  std::function<std::optional<std::uint64_t>(std::size_t offset)> plausible;
  std::uint64_t nonsense_one_in = 1;  // for those words
  std::uint64_t loads = 0;
};

/// One at a time: it is the hook.
class Tampering {
 public:
  Tampering();
  virtual ~Tampering();
  Tampering(const Tampering&) = delete;
  Tampering& operator=(const Tampering&) = delete;

  void watch(Watched watched) { watched_.push_back(std::move(watched)); }
  void forget(const std::byte* memory);

  /// Of all that was ever watched.
  [[nodiscard]] std::uint64_t loads() const noexcept { return loads_; }
  [[nodiscard]] std::uint64_t loads_of(const std::byte* memory) const;

  [[nodiscard]] const WordCounts& loads_by_word() const noexcept { return by_word_; }

  /// From here on; without it, which words were loaded is not noted.
  void begin_operation();
  [[nodiscard]] std::uint64_t loads_in_operation() const noexcept { return loads_in_operation_; }
  /// Words that were loaded more than once since begin_operation(), each time but the first.
  [[nodiscard]] const std::vector<const void*>& loaded_again() const noexcept { return again_; }

 protected:
  /// `copy` is what the broker goes on with; `shared` is in `watched.memory`.
  virtual void tamper(Watched& watched, std::byte* shared, void* copy, std::size_t bytes) = 0;

 private:
  static void load(const void* shared, void* copy, std::size_t bytes);

  static inline Tampering* instance_ = nullptr;
  std::vector<Watched> watched_;
  std::uint64_t loads_ = 0;
  WordCounts by_word_{};
  std::uint64_t loads_in_operation_ = 0;
  bool in_operation_ = false;
  std::unordered_map<const void*, std::uint32_t> loaded_;
  std::vector<const void*> again_;
};

/// Boundary values, old values, plausible ones, any: half of the time just the truth.
class RandomTampering final : public Tampering {
 public:
  explicit RandomTampering(Choices& choices) : choices_(choices) {}
  /// A word such as a hostile guest writes.
  std::uint64_t nonsense(std::uint64_t truth);

 private:
  void tamper(Watched& watched, std::byte* shared, void* copy, std::size_t bytes) override;

  Choices& choices_;
  std::vector<std::uint64_t> seen_;  // words of the past
};

/// The memory is the truth: loads are counted, nothing else.
class Counting final : public Tampering {
 private:
  void tamper(Watched&, std::byte*, void*, std::size_t) override {}
};

}  // namespace fairlead::hostile
