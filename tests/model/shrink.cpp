#include "shrink.hpp"

#include <algorithm>

namespace fairlead::test {

Sequence shrink(Sequence sequence, const std::function<bool(const Sequence&)>& fails,
                std::chrono::milliseconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  std::size_t piece = std::max<std::size_t>(sequence.size() / 2, 1);
  for (;;) {
    bool shorter = false;
    for (std::size_t at = 0; at < sequence.size();) {
      if (std::chrono::steady_clock::now() > deadline) return sequence;
      const std::size_t end = std::min(at + piece, sequence.size());
      Sequence candidate(sequence.begin(), sequence.begin() + static_cast<std::ptrdiff_t>(at));
      candidate.insert(candidate.end(), sequence.begin() + static_cast<std::ptrdiff_t>(end),
                       sequence.end());
      if (fails(candidate)) {
        sequence = std::move(candidate);
        shorter = true;
      } else {
        at = end;
      }
    }
    if (piece == 1 && !shorter) return sequence;
    if (!shorter || piece > sequence.size()) piece = std::max<std::size_t>(piece / 2, 1);
  }
}

}  // namespace fairlead::test
