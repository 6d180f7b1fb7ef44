#include <dirent.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>

#include <fairlead/shm/error.hpp>
#include <fairlead/shm/segment_name.hpp>

namespace fairlead::shm {
namespace {

constexpr std::size_t kRandomDigits = 16;
constexpr std::array<SegmentKind, 6> kKinds = {SegmentKind::table,   SegmentKind::route,
                                               SegmentKind::cursor,  SegmentKind::outbox,
                                               SegmentKind::receipt, SegmentKind::pool};

bool is_broker_name_byte(char c) noexcept {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

std::uint64_t random_number() {
  std::uint64_t value = 0;
  // Up to 256 bytes are never cut short or interrupted once the kernel's pool is ready.
  while (::getrandom(&value, sizeof value, 0) != static_cast<ssize_t>(sizeof value)) {
    if (errno != EINTR) throw_system("no random bytes for a segment name");
  }
  return value;
}

void append_hex(std::string& out, std::uint64_t value) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (int shift = 60; shift >= 0; shift -= 4) out += kDigits[(value >> shift) & 0xF];
}

/// Splits off the part before the next dot; the whole rest when there is none.
std::string_view next_part(std::string_view& rest) noexcept {
  const std::size_t dot = rest.find('.');
  const std::string_view part = rest.substr(0, dot);
  rest = dot == std::string_view::npos ? std::string_view{} : rest.substr(dot + 1);
  return part;
}

std::optional<std::uint64_t> parse_decimal(std::string_view text) noexcept {
  if (text.empty() || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 10);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::uint64_t> parse_hex(std::string_view text) noexcept {
  const auto is_digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  if (text.size() != kRandomDigits || !std::all_of(text.begin(), text.end(), is_digit)) {
    return std::nullopt;
  }
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value, 16);
  return value;
}

void require_broker_name(std::string_view name) {
  if (is_valid_broker_name(name)) return;
  throw Error(ErrorCode::invalid_argument, "broker name '" + std::string(name) +
                                               "' must be 1 to 48 bytes of letters, digits, '_' "
                                               "and '-'");
}

}  // namespace

std::string_view to_string(SegmentKind kind) noexcept {
  switch (kind) {
    case SegmentKind::none:
      break;
    case SegmentKind::table:
      return "table";
    case SegmentKind::route:
      return "route";
    case SegmentKind::cursor:
      return "cursor";
    case SegmentKind::outbox:
      return "outbox";
    case SegmentKind::receipt:
      return "receipt";
    case SegmentKind::pool:
      return "pool";
  }
  return "unknown";
}

std::optional<SegmentKind> parse_segment_kind(std::string_view text) noexcept {
  const auto found = std::find_if(kKinds.begin(), kKinds.end(),
                                  [text](SegmentKind kind) { return to_string(kind) == text; });
  if (found == kKinds.end()) return std::nullopt;
  return *found;
}

bool is_valid_broker_name(std::string_view name) noexcept {
  return !name.empty() && name.size() <= kMaximumBrokerNameBytes &&
         std::all_of(name.begin(), name.end(), is_broker_name_byte);
}

std::string to_string(const SegmentName& name) {
  require_broker_name(name.broker);
  std::string out(kSegmentNamePrefix);
  out += name.broker;
  if (name.kind != SegmentKind::table) {
    out += '.' + std::to_string(name.epoch) + '.';
    out += to_string(name.kind);
    out += '.' + std::to_string(name.id) + '.';
    append_hex(out, name.random);
    return out;
  }
  return out + ".table";
}

std::string table_segment_name(std::string_view broker) {
  return to_string(SegmentName{.broker = std::string(broker)});
}

std::string make_segment_name(std::string_view broker, std::uint64_t epoch, SegmentKind kind,
                              std::uint64_t id) {
  if (kind == SegmentKind::table || to_string(kind) == "unknown") {
    throw Error(ErrorCode::invalid_argument, "a segment of this kind has no random name");
  }
  return to_string(SegmentName{std::string(broker), kind, epoch, id, random_number()});
}

std::optional<SegmentName> parse_segment_name(std::string_view name) noexcept {
  // The trailing check below compares counts of dots, so that an empty last part is seen too.
  if (name.size() > kLongestSegmentNameBytes || !name.starts_with(kSegmentNamePrefix)) {
    return std::nullopt;
  }
  std::string_view rest = name.substr(kSegmentNamePrefix.size());
  const auto dots = std::count(rest.begin(), rest.end(), '.');
  const std::string_view broker = next_part(rest);
  if (!is_valid_broker_name(broker)) return std::nullopt;
  if (dots == 1 && rest == "table") return SegmentName{.broker = std::string(broker)};
  if (dots != 4) return std::nullopt;
  const auto epoch = parse_decimal(next_part(rest));
  const auto kind = parse_segment_kind(next_part(rest));
  const auto id = parse_decimal(next_part(rest));
  const auto random = parse_hex(rest);
  if (!epoch || !kind || *kind == SegmentKind::table || !id || !random) return std::nullopt;
  return SegmentName{std::string(broker), *kind, *epoch, *id, *random};
}

std::string segment_path(std::string_view name, std::string_view directory) {
  return std::string(directory) + '/' + std::string(name);
}

std::vector<ListedSegment> list_segments(std::string_view directory) {
  const std::string path(directory);
  const std::unique_ptr<DIR, int (*)(DIR*)> handle(::opendir(path.c_str()), &::closedir);
  std::vector<ListedSegment> found;
  if (!handle) {
    if (errno == ENOENT) return found;
    throw_system("cannot list " + path);
  }
  errno = 0;
  while (const dirent* entry = ::readdir(handle.get())) {
    const std::string_view file = entry->d_name;
    if (file.starts_with(kSegmentNamePrefix)) {
      found.push_back({std::string(file), parse_segment_name(file)});
    }
    errno = 0;
  }
  if (errno != 0) throw_system("cannot list " + path);
  std::sort(found.begin(), found.end(),
            [](const ListedSegment& a, const ListedSegment& b) { return a.file < b.file; });
  return found;
}

}  // namespace fairlead::shm
