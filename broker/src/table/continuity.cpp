#include "table/continuity.hpp"

#include <fairlead/shm/layout_field.hpp>

namespace fairlead::broker {
namespace {

// No honest broker gets there; beyond, additions could wrap.
constexpr std::uint64_t kGreatestNumber = std::uint64_t{1} << 62;

bool is_possible(std::uint64_t number) noexcept { return number != 0 && number < kGreatestNumber; }

std::uint64_t checksum_of(std::uint64_t generation, const ContinuityNumbers& numbers) noexcept {
  shm::LayoutHasher hasher;
  for (const std::uint64_t each : {shm::kContinuityMagic, std::uint64_t{shm::kContinuityVersion},
                                   std::uint64_t{sizeof(shm::ContinuityBlock)}, generation,
                                   numbers.epoch, numbers.next_sequence, numbers.next_subscription})
    hasher.add(each);
  return hasher.hash() | 1U;  // never the 0 of a copy that is being written
}

struct FoundCopy {
  std::size_t which;
  std::uint64_t generation;
  ContinuityNumbers numbers;
};

std::optional<FoundCopy> newest_copy(const shm::ContinuityBlock& block) noexcept {
  std::optional<FoundCopy> newest;
  for (std::size_t which = 0; which < 2; ++which) {
    const shm::ContinuityCopy& copy = block.copies[which];
    const FoundCopy found{
        which,
        copy.generation.load(),
        {copy.epoch.load(), copy.next_sequence.load(), copy.next_subscription.load()}};
    const ContinuityNumbers& numbers = found.numbers;
    if (copy.checksum.load() != checksum_of(found.generation, numbers)) continue;
    if (!is_possible(found.generation) || !is_possible(numbers.epoch) ||
        !is_possible(numbers.next_sequence) || !is_possible(numbers.next_subscription))
      continue;
    if (!newest || found.generation > newest->generation) newest = found;
  }
  return newest;
}

}  // namespace

std::optional<ContinuityNumbers> read_continuity(const shm::ContinuityBlock& block) noexcept {
  if (block.magic != shm::kContinuityMagic || block.version != shm::kContinuityVersion ||
      block.block_bytes != sizeof block)
    return std::nullopt;
  const auto newest = newest_copy(block);
  if (!newest) return std::nullopt;
  return newest->numbers;
}

void write_continuity(shm::ContinuityBlock& block, const ContinuityNumbers& numbers) noexcept {
  if (block.magic != shm::kContinuityMagic) {  // a new table
    block.version = shm::kContinuityVersion;
    block.block_bytes = sizeof block;
    block.magic = shm::kContinuityMagic;
  }
  const auto newest = newest_copy(block);
  const std::uint64_t generation = newest ? newest->generation + 1 : 1;
  shm::ContinuityCopy& copy = block.copies[newest ? 1 - newest->which : 0];
  // Sequentially consistent, so that they are made in this order.
  copy.checksum.store(0);
  copy.generation.store(generation);
  copy.epoch.store(numbers.epoch);
  copy.next_sequence.store(numbers.next_sequence);
  copy.next_subscription.store(numbers.next_subscription);
  copy.checksum.store(checksum_of(generation, numbers));
}

}  // namespace fairlead::broker
