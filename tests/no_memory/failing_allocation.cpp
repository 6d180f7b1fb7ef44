#include "no_memory/failing_allocation.hpp"

#include <atomic>
#include <cstdlib>
#include <new>

namespace fairlead::test {
namespace {

std::atomic<bool> armed{false};
std::atomic<bool> has_failed{false};
std::atomic<std::uint64_t> left{0};
std::atomic<bool> others{false};
thread_local bool is_arming = false;

bool must_fail() noexcept {
  if (!armed.load(std::memory_order_acquire) || others.load() == is_arming) return false;
  if (left.fetch_sub(1) != 0) return false;
  armed.store(false);
  has_failed.store(true);
  return true;
}

}  // namespace

FailingAllocation::FailingAllocation(std::uint64_t number, Whose whose) noexcept {
  is_arming = true;
  others.store(whose == Whose::other_threads);
  has_failed.store(false);
  left.store(number);
  armed.store(true, std::memory_order_release);
}

FailingAllocation::~FailingAllocation() {
  armed.store(false);
  is_arming = false;
}

bool FailingAllocation::failed() const noexcept { return has_failed.load(); }

}  // namespace fairlead::test

// Not inlined, or GCC sees malloc() paired with delete and warns.
[[gnu::noinline]] void* operator new(std::size_t bytes) {
  if (fairlead::test::must_fail()) throw std::bad_alloc();
  if (void* memory = std::malloc(bytes == 0 ? 1 : bytes)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
