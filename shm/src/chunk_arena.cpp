#include <fairlead/shm/chunk_arena.hpp>

#include <algorithm>
#include <bit>

namespace fairlead::shm {
namespace {

constexpr std::uint32_t kWord = 64;

bool test_bit(const std::vector<std::uint64_t>& bits, std::uint32_t at) noexcept {
  return ((bits[at / kWord] >> (at % kWord)) & 1U) != 0;
}

void write_bit(std::uint64_t& word, std::uint32_t at, bool value) noexcept {
  const std::uint64_t mask = std::uint64_t{1} << (at % kWord);
  word = value ? (word | mask) : (word & ~mask);
}

}  // namespace

ChunkArena::ChunkArena(GrowableMemory& memory, std::uint64_t begin, std::uint64_t capacity)
    : memory_(memory),
      begin_(begin),
      superblocks_(static_cast<std::uint32_t>(capacity / kSuperblockBytes)) {
  const std::size_t words = (superblocks_ + kWord - 1) / kWord;
  taken_.assign(words, 0);
  for (auto& bits : has_free_) bits.assign(words, 0);
  // Bits behind the last superblock count as taken, so that searches need no bounds check.
  if (superblocks_ % kWord != 0) taken_.back() = ~std::uint64_t{0} << (superblocks_ % kWord);
}

std::uint64_t ChunkArena::committed_bytes() const noexcept {
  return begin_ + std::uint64_t{committed_} * kSuperblockBytes;
}

std::uint64_t ChunkArena::block_bytes(std::uint64_t bytes) noexcept {
  if (bytes <= kMinimumChunkBytes) return kMinimumChunkBytes;
  if (bytes <= kSuperblockBytes / 2) return std::bit_ceil(bytes);
  return (bytes + kSuperblockBytes - 1) / kSuperblockBytes * kSuperblockBytes;
}

std::uint32_t ChunkArena::order_of(std::uint64_t block) noexcept {
  return static_cast<std::uint32_t>(std::countr_zero(block / kMinimumChunkBytes));
}

std::optional<std::uint64_t> ChunkArena::allocate(std::uint64_t bytes) noexcept {
  failure_ = Failure::none;
  if (bytes > capacity_bytes()) {
    failure_ = Failure::capacity;
    return std::nullopt;
  }
  const std::uint64_t block = block_bytes(bytes);
  std::optional<std::uint64_t> offset;
  if (block >= kSuperblockBytes) {
    const auto first = take_superblocks(static_cast<std::uint32_t>(block / kSuperblockBytes));
    if (first) offset = begin_ + std::uint64_t{*first} * kSuperblockBytes;
  } else {
    offset = allocate_block(order_of(block));
  }
  if (offset) used_bytes_ += block;
  return offset;
}

void ChunkArena::free(std::uint64_t offset, std::uint64_t bytes) noexcept {
  const std::uint64_t block = block_bytes(bytes);
  used_bytes_ -= block;
  const auto superblock = static_cast<std::uint32_t>((offset - begin_) / kSuperblockBytes);
  if (block >= kSuperblockBytes) {
    give_superblocks(superblock, static_cast<std::uint32_t>(block / kSuperblockBytes));
    return;
  }
  const auto index = static_cast<std::uint32_t>((offset - begin_) % kSuperblockBytes / block);
  free_block(superblock, index, order_of(block));
}

std::optional<std::uint64_t> ChunkArena::allocate_block(std::uint32_t order) noexcept {
  std::uint32_t from = order;
  std::optional<std::uint32_t> superblock;
  while (from < kOrders && !(superblock = first_with_free(from))) ++from;
  std::uint32_t index = 0;
  if (superblock) {
    const auto& words = blocks_[*superblock].free[from];
    while (words[index] == 0) ++index;
    index = index * kWord + static_cast<std::uint32_t>(std::countr_zero(words[index]));
    set_free(*superblock, from, index, false);
  } else {
    superblock = take_superblocks(1);
    if (!superblock) return std::nullopt;
    from = kOrders;  // the whole superblock, order 8
  }
  while (from > order) {  // split, keeping the low half
    --from;
    index *= 2;
    set_free(*superblock, from, index + 1, true);
  }
  return begin_ + std::uint64_t{*superblock} * kSuperblockBytes +
         std::uint64_t{index} * (std::uint64_t{kMinimumChunkBytes} << order);
}

void ChunkArena::free_block(std::uint32_t superblock, std::uint32_t index,
                            std::uint32_t order) noexcept {
  while (order < kOrders && is_free(superblock, order, index ^ 1U)) {
    set_free(superblock, order, index ^ 1U, false);
    index /= 2;
    ++order;
  }
  if (order == kOrders) {
    give_superblocks(superblock, 1);
  } else {
    set_free(superblock, order, index, true);
  }
}

void ChunkArena::set_free(std::uint32_t superblock, std::uint32_t order, std::uint32_t index,
                          bool is_free) noexcept {
  auto& words = blocks_[superblock].free[order];
  write_bit(words[index / kWord], index, is_free);
  bool any = false;
  for (const std::uint64_t word : words) any = any || word != 0;
  write_bit(has_free_[order][superblock / kWord], superblock, any);
}

bool ChunkArena::is_free(std::uint32_t superblock, std::uint32_t order,
                         std::uint32_t index) const noexcept {
  return ((blocks_[superblock].free[order][index / kWord] >> (index % kWord)) & 1U) != 0;
}

std::optional<std::uint32_t> ChunkArena::first_with_free(std::uint32_t order) const noexcept {
  const Bitmap& bits = has_free_[order];
  for (std::uint32_t word = 0; word < bits.size(); ++word) {
    if (bits[word] != 0)
      return word * kWord + static_cast<std::uint32_t>(std::countr_zero(bits[word]));
  }
  return std::nullopt;
}

std::optional<std::uint32_t> ChunkArena::take_superblocks(std::uint32_t run) noexcept {
  std::uint32_t found = 0;
  std::uint32_t at = 0;
  while (at < superblocks_ && found < run) {
    if (at % kWord == 0 && taken_[at / kWord] == ~std::uint64_t{0}) {
      found = 0;
      at += kWord;
      continue;
    }
    found = test_bit(taken_, at) ? 0 : found + 1;
    ++at;
  }
  if (found < run) {
    failure_ = Failure::capacity;
    return std::nullopt;
  }
  if (at > committed_) {
    try {
      blocks_.resize(at);
    } catch (...) {
      failure_ = Failure::no_memory;
      return std::nullopt;
    }
    if (memory_.grow_to(begin_ + std::uint64_t{at} * kSuperblockBytes) !=
        GrowableMemory::Growth::ok) {
      failure_ = Failure::no_memory;
      return std::nullopt;
    }
    committed_ = at;
  }
  const std::uint32_t first = at - run;
  for (std::uint32_t each = first; each < at; ++each) write_bit(taken_[each / kWord], each, true);
  return first;
}

void ChunkArena::give_superblocks(std::uint32_t first, std::uint32_t run) noexcept {
  for (std::uint32_t each = first; each < first + run; ++each)
    write_bit(taken_[each / kWord], each, false);
}

std::uint32_t ChunkArena::superblocks_after_trim(std::uint32_t spare) const noexcept {
  std::uint32_t end = committed_;
  while (end > 0 && !test_bit(taken_, end - 1)) --end;
  return std::min(committed_, end + spare);
}

std::uint64_t ChunkArena::committed_after_trim(std::uint32_t spare) const noexcept {
  return begin_ + std::uint64_t{superblocks_after_trim(spare)} * kSuperblockBytes;
}

void ChunkArena::trim(std::uint32_t spare) noexcept {
  const std::uint32_t kept = superblocks_after_trim(spare);
  if (kept == committed_) return;
  committed_ = kept;
  memory_.shrink_to(committed_bytes());
}

}  // namespace fairlead::shm
