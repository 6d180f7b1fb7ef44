// Any bytes as segments that the dump tool reads, changing under its hands: every reader comes to
// an end, and what it found can be shown.
//
// Input: a first byte picks the kind of segment, the rest is its content; from the second half on,
// bytes are exchanged while reading.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <vector>

#include <fairlead/shm/layout/layout_hash.hpp>

#include "dump/guest_segments.hpp"
#include "dump/header_reader.hpp"
#include "dump/render_json.hpp"
#include "dump/render_text.hpp"
#include "dump/segment_file.hpp"
#include "dump/table_reader.hpp"

namespace fairlead::tools::dump {
namespace {

// After every read some of its bytes change, as a hostile or a busy writer would have it.
class ShiftingBytes final : public SegmentBytes {
 public:
  ShiftingBytes(std::vector<std::uint8_t> content, std::span<const std::uint8_t> changes)
      : content_(std::move(content)), changes_(changes) {}

  [[nodiscard]] bool read(std::uint64_t offset, void* to,
                          std::size_t bytes) const noexcept override {
    if (offset > content_.size() || bytes > content_.size() - offset) return false;
    std::memcpy(to, content_.data() + offset, bytes);
    change();
    return true;
  }
  [[nodiscard]] std::uint64_t size() const noexcept override {
    change();
    return content_.size();
  }

 private:
  // Three bytes: where (16 bits), what.
  void change() const noexcept {
    if (next_ + 3 > changes_.size() || content_.empty()) return;
    const std::size_t at = changes_[next_] | static_cast<std::size_t>(changes_[next_ + 1]) << 8U;
    content_[at % content_.size()] = changes_[next_ + 2];
    next_ += 3;
  }

  mutable std::vector<std::uint8_t> content_;
  std::span<const std::uint8_t> changes_;
  mutable std::size_t next_ = 0;
};

template <class Word>
void put(std::vector<std::uint8_t>& content, std::size_t offset, Word word) {
  if (offset + sizeof word <= content.size()) {
    std::memcpy(content.data() + offset, &word, sizeof word);
  }
}

// Random bytes never guess these.
void make_header_good(std::vector<std::uint8_t>& content, shm::SegmentKind kind) {
  put(content, offsetof(shm::SegmentHeader, magic), shm::kSegmentMagic);
  put(content, offsetof(shm::SegmentHeader, version), shm::kLayoutVersion);
  put(content, offsetof(shm::SegmentHeader, kind), kind);
  put(content, offsetof(shm::SegmentHeader, layout_hash), shm::kLayoutHash);
  put(content, offsetof(shm::TableHeader, entry_bytes),
      kind == shm::SegmentKind::table ? static_cast<std::uint32_t>(sizeof(shm::TableEntry)) : 0U);
}

void run(std::span<const std::uint8_t> input) {
  if (input.empty()) return;
  const auto kind = static_cast<shm::SegmentKind>(input[0] % 7U);
  const std::span<const std::uint8_t> rest = input.subspan(1);
  const std::size_t half = rest.size() / 2;
  std::vector<std::uint8_t> content(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(half));
  // Most of a segment is zero; the input only has its beginning.
  content.resize(std::max<std::size_t>(content.size(), 24 * 1024));
  if ((input[0] & 0x80U) == 0) make_header_good(content, kind);
  const ShiftingBytes bytes(std::move(content), rest.subspan(half));

  ReadContext context;
  context.monotonic_now_ns = 1'000'000'000;
  context.patience.writer_lives = false;  // no pauses
  MachineDump machine;
  BrokerDump& broker = machine.brokers.emplace_back();
  SegmentDump segment;
  segment.kind = kind;
  if (read_header(bytes, nullptr, segment)) {
    if (segment.kind == shm::SegmentKind::table) {
      broker.table = read_table(bytes, context.patience, segment);
    } else {
      read_content(bytes, context, segment);
    }
  }
  broker.segments.push_back(segment);
  broker.table_segment = std::move(segment);
  const std::string text = render_text(machine, {});
  const auto printable = [](char c) { return c == '\n' || (c >= ' ' && c <= '~'); };
  if (!std::all_of(text.begin(), text.end(), printable)) std::abort();
  if (render_json(machine).empty()) std::abort();
}

}  // namespace
}  // namespace fairlead::tools::dump

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fairlead::tools::dump::run({data, size});
  return 0;
}
