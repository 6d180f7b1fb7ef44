#include "shared_state.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <new>

#include <fairlead/shm/error.hpp>

namespace fairlead::test::random_kills {

void SharedState::fail(const std::string& sentence) noexcept {
  if (failed.exchange(true)) return;
  std::memcpy(problem.data(), sentence.data(), std::min(sentence.size(), problem.size() - 1));
}

SharedState& make_shared_state() {
  void* const memory = ::mmap(nullptr, sizeof(SharedState), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw_system("mmap");
  // Fresh memory is zero, which is what all members begin with: constructing them would touch it.
  return *std::launder(reinterpret_cast<SharedState*>(memory));
}

// Two slots share a principal, so that two streams meet in one lane.
std::string principal_of_slot(std::size_t slot) {
  return "agent.p" + std::to_string(slot % (kPublisherSlots / 2 + 1));
}

std::string topic_of_slot(std::size_t slot) { return "kills.s" + std::to_string(slot); }

}  // namespace fairlead::test::random_kills
