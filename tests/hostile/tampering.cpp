#include "tampering.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace fairlead::hostile {

Tampering::Tampering() {
  if (instance_ != nullptr) std::abort();
  instance_ = this;
  shm::untrusted_hook = &Tampering::load;
}

Tampering::~Tampering() {
  shm::untrusted_hook = nullptr;
  instance_ = nullptr;
}

void Tampering::load(const void* shared, void* copy, std::size_t bytes) {
  Tampering& self = *instance_;
  const auto* const at = static_cast<const std::byte*>(shared);
  for (Watched& each : self.watched_) {
    std::byte* const begin = each.memory.data();
    if (at < begin || at >= begin + each.memory.size()) continue;
    if (at + bytes > begin + each.memory.size()) std::abort();  // half of it is somebody else's
    ++each.loads;
    ++self.loads_;
    ++self.by_word_[static_cast<std::size_t>(each.word_at(static_cast<std::size_t>(at - begin)))];
    ++self.loads_in_operation_;
    if (self.in_operation_ && ++self.loaded_[shared] > 1) self.again_.push_back(shared);
    self.tamper(each, begin + (at - begin), copy, bytes);
    return;
  }
}

void Tampering::forget(const std::byte* memory) {
  std::erase_if(watched_, [memory](const Watched& each) { return each.memory.data() == memory; });
}

std::uint64_t Tampering::loads_of(const std::byte* memory) const {
  const auto found = std::find_if(watched_.begin(), watched_.end(), [memory](const Watched& each) {
    return each.memory.data() == memory;
  });
  return found == watched_.end() ? 0 : found->loads;
}

void Tampering::begin_operation() {
  in_operation_ = true;
  loads_in_operation_ = 0;
  loaded_.clear();
  again_.clear();
}

std::uint64_t RandomTampering::nonsense(std::uint64_t truth) {
  switch (choices_.below(7)) {
    case 0:
      return 0;
    case 1:
      return ~std::uint64_t{0};
    case 2:
      return truth + 1 - 2 * choices_.below(2);
    case 3:
      return std::uint64_t{1} << choices_.below(64);
    case 4:
      return choices_.below(300);
    case 5:
      return seen_.empty() ? 0 : seen_[choices_.below(seen_.size())];  // said before, somewhere
    default:
      return choices_.word();
  }
}

void RandomTampering::tamper(Watched& watched, std::byte* shared, void* copy, std::size_t bytes) {
  constexpr std::size_t kRemembered = 64;
  // Of a longer copy, one word of it.
  const std::size_t width = std::min<std::size_t>(bytes, 8);
  const std::size_t place = bytes > 8 ? choices_.below(bytes - width + 1) : 0;
  auto* const word = static_cast<std::byte*>(copy) + place;
  std::uint64_t value = 0;
  std::memcpy(&value, word, width);
  if (seen_.size() < kRemembered) {
    seen_.push_back(value);
  } else {
    seen_[value % kRemembered] = value;
  }
  if (choices_.below(2) == 0) return;  // the truth
  const std::uint64_t truth = value;
  const auto offset = static_cast<std::size_t>(shared - watched.memory.data());
  const auto plausible = watched.plausible ? watched.plausible(offset) : std::nullopt;
  const bool sound = plausible && !choices_.one_in(watched.nonsense_one_in);
  if (sound && bytes > 8) return;
  value = sound ? *plausible : nonsense(truth);
  std::memcpy(word, &value, width);
  // Said for a moment only, or to stay: for the next look, or an exchange. What goes back later
  // would be nonsense.
  if (sound ? value > truth : choices_.below(2) == 0) std::memcpy(shared + place, &value, width);
}

}  // namespace fairlead::hostile
