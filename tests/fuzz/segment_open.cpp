// Any bytes as a segment that is opened: a named outcome and a sentence, never a signal, and
// nothing is mapped unless it is ok.
//
// Input: a first byte says which options to open with, a second one whether the header is made good
// first; the rest is the file.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <fairlead/shm/layout/layout_hash.hpp>
#include <fairlead/shm/segment.hpp>
#include <fairlead/shm/segment_name.hpp>

namespace fairlead::shm {
namespace {

void expect(bool holds) {
  if (!holds) std::abort();
}

UniqueFd file_of(const std::vector<std::uint8_t>& content) {
  UniqueFd file(::memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  expect(file.valid() && ::fchmod(file.get(), 0600) == 0);
  expect(::write(file.get(), content.data(), content.size()) ==
         static_cast<ssize_t>(content.size()));
  return file;
}

void make_header_good(std::vector<std::uint8_t>& content) {
  const auto put = [&](std::size_t offset, auto word) {
    if (offset + sizeof word <= content.size()) {
      std::memcpy(content.data() + offset, &word, sizeof word);
    }
  };
  put(offsetof(SegmentHeader, magic), kSegmentMagic);
  put(offsetof(SegmentHeader, version), kLayoutVersion);
  put(offsetof(SegmentHeader, layout_hash), kLayoutHash);
}

OpenOptions options_of(std::uint8_t choice) {
  OpenOptions options;
  if ((choice & 1U) != 0) options.kind = SegmentKind::route;
  if ((choice & 2U) != 0) options.owner = ::geteuid();
  if ((choice & 4U) != 0) options.minimum_file_bytes = 4'096;
  if ((choice & 8U) != 0) options.map_bytes = 1U << 20U;
  if ((choice & 16U) != 0) options.required_seals = F_SEAL_SHRINK;
  if ((choice & 32U) != 0) options.check_header = false;
  return options;
}

void check_name(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto name = parse_segment_name(text);
  expect(!name || to_string(*name) == text);
}

void run(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return;
  check_name(data, size);
  std::vector<std::uint8_t> content(data + 2, data + size);
  if ((data[1] & 1U) != 0) make_header_good(content);
  const OpenOptions options = options_of(data[0]);
  const OpenResult opened = Segment::adopt_descriptor(file_of(content), Access::read_only, options);
  expect(opened.ok() == opened.segment.valid());
  expect(opened.ok() == opened.sentence.empty());
  expect(to_string(opened.outcome) != "unknown");
  if (!opened.ok()) return;
  expect(content.size() >= sizeof(SegmentHeader));
  expect(opened.segment.size() >= (options.map_bytes == 0 ? content.size() : options.map_bytes));
  // What is in the file may be touched.
  volatile std::uint8_t sum = 0;
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(opened.segment.data());
  for (std::size_t at = 0; at < content.size(); at += 512) {
    sum = static_cast<std::uint8_t>(sum + bytes[at]);
  }
}

}  // namespace
}  // namespace fairlead::shm

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fairlead::shm::run(data, size);
  return 0;
}
