#include "attach/lingering.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <utility>

#include <fairlead/shm/error.hpp>

namespace fairlead::broker {

Lingering::~Lingering() {
  for (auto& [tag, entry] : entries_) release(entry.charges);
}

void Lingering::release(std::vector<QuotaCharge>& charges) {
  const std::lock_guard lock(mutex_);
  charges.clear();
}

void Lingering::keep(shm::UniqueFd process, std::vector<QuotaCharge> charges) {
  if (charges.empty()) return;
  if (!process) return release(charges);
  const std::uint64_t tag = next_tag_++;
  try {
    loop_.add(process.get(), tag);
  } catch (const Error&) {
    return release(charges);
  }
  entries_[tag] = {std::move(process), std::move(charges)};
}

void Lingering::end(std::uint64_t tag) {
  auto node = entries_.extract(tag);
  if (node.empty()) return;
  loop_.remove(node.mapped().process.get());
  release(node.mapped().charges);
}

shm::UniqueFd open_process(pid_t process) noexcept {
  // We are trusted, and would have to wait for our own end.
  if (process <= 0 || process == ::getpid()) return {};
  return shm::UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, process, 0)));
}

}  // namespace fairlead::broker
