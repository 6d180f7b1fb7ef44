// The table "Who may write what" of docs/security.md against processes that run: what they map,
// how, and with which descriptors and seals.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fairlead/broker/broker.hpp>
#include <fairlead/guest/guest.hpp>
#include <fairlead/shm/segment_name.hpp>

#include "support/child_process.hpp"
#include "support/program.hpp"
#include "support/test_broker.hpp"

namespace fairlead::test {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAreArray;

// As the page's columns.
struct Row {
  std::string segment;
  std::string backing;
  std::string broker = "-";
  std::string guest = "-";
  std::string descriptor = "-";
  std::string seals = "-";

  [[nodiscard]] std::string text() const {
    return segment + " | " + backing + " | " + broker + " | " + guest + " | " + descriptor + " | " +
           seals;
  }
};

using Key = std::pair<std::string, std::string>;  // segment, backing
using Rows = std::map<Key, Row>;

std::vector<std::string> texts(const Rows& rows) {
  std::vector<std::string> all;
  for (const auto& [key, row] : rows) all.push_back(row.text());
  return all;
}

std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells;
  std::istringstream parts(line.substr(1));
  for (std::string cell; std::getline(parts, cell, '|');) {
    const std::size_t first = cell.find_first_not_of(" `");
    const std::size_t last = cell.find_last_not_of(" `");
    cells.push_back(first == cell.npos ? "" : cell.substr(first, last - first + 1));
  }
  return cells;
}

Rows rows_of_the_page() {
  std::ifstream page(std::string(FAIRLEAD_SOURCE_DIR) + "/docs/security.md");
  Rows rows;
  bool inside = false;
  for (std::string line; std::getline(page, line);) {
    if (line.starts_with("## ")) inside = line == "## Who may write what";
    if (!inside || !line.starts_with("| `")) continue;
    const auto cells = cells_of(line);
    if (cells.size() < 6 || cells[0] == "enforced" || cells[0] == "cooperative") continue;
    rows[{cells[0], cells[1]}] = {cells[0], cells[1], cells[2], cells[3], cells[4], cells[5]};
  }
  return rows;
}

// Segment and backing of a path in /proc that belongs to a broker of that name.
std::optional<Key> key_of(const std::string& path, const std::string& broker) {
  const std::size_t at = path.find("fairlead." + broker + ".");
  if (at == path.npos) return std::nullopt;
  const auto name = shm::parse_segment_name(path.substr(at, path.find(' ', at) - at));
  if (!name) {
    ADD_FAILURE() << path;
    return std::nullopt;
  }
  const bool sealed = path.find("memfd:") != path.npos;
  return Key{std::string(shm::to_string(name->kind)), sealed ? "sealed" : "named"};
}

// What was seen once must be seen again.
void note(std::string& cell, const std::string& seen, const std::string& what) {
  if (cell == "-") cell = seen;
  EXPECT_EQ(cell, seen) << what;
}

Row& row_of(Rows& rows, const Key& key) {
  Row& row = rows[key];
  row.segment = key.first;
  row.backing = key.second;
  return row;
}

void look_at_mappings(pid_t process, const std::string& broker, std::string Row::*cell,
                      Rows& rows) {
  std::ifstream maps("/proc/" + std::to_string(process) + "/maps");
  for (std::string line; std::getline(maps, line);) {
    const auto key = key_of(line, broker);
    if (!key) continue;
    std::istringstream fields(line);
    std::string range;
    std::string permissions;
    fields >> range >> permissions;
    note(row_of(rows, *key).*cell, permissions, line);
  }
}

std::string seals_of(const fs::path& descriptor) {
  const shm::UniqueFd file(::open(descriptor.c_str(), O_RDONLY | O_CLOEXEC));
  const int seals = ::fcntl(file.get(), F_GET_SEALS);
  if ((seals & F_SEAL_SHRINK) == 0) return "-";  // a file in /dev/shm
  std::string text = "shrink";
  if ((seals & F_SEAL_GROW) != 0) text += ", grow";
  if ((seals & F_SEAL_FUTURE_WRITE) != 0) text += ", future-write";
  if ((seals & F_SEAL_SEAL) != 0) text += ", seal";
  return text;
}

std::string access_of(pid_t process, const std::string& number) {
  std::ifstream info("/proc/" + std::to_string(process) + "/fdinfo/" + number);
  std::string word;
  int flags = -1;
  while (info >> word)
    if (word == "flags:") info >> std::oct >> flags;
  const int access = flags & O_ACCMODE;
  return access == O_RDONLY ? "read-only" : access == O_RDWR ? "read-write" : "write-only";
}

void look_at_descriptors(pid_t process, const std::string& broker, bool guest, Rows& rows) {
  for (const auto& entry : fs::directory_iterator("/proc/" + std::to_string(process) + "/fd")) {
    std::error_code gone;
    const std::string path = fs::read_symlink(entry.path(), gone).string();
    const auto key = gone ? std::nullopt : key_of(path, broker);
    if (!key) continue;
    Row& row = row_of(rows, *key);
    const std::string access = access_of(process, entry.path().filename());
    if (guest) note(row.descriptor, access, path);
    note(row.seals, seals_of(entry.path()), path);
    struct stat file {};
    EXPECT_EQ(::stat(entry.path().c_str(), &file), 0);
    EXPECT_EQ(file.st_mode & 07777, 0600U) << path;
    EXPECT_EQ(file.st_uid, ::geteuid()) << path;
  }
}

void look_at(pid_t broker, pid_t guest, const std::string& name, Rows& rows) {
  look_at_mappings(broker, name, &Row::broker, rows);
  look_at_descriptors(broker, name, false, rows);
  look_at_mappings(guest, name, &Row::guest, rows);
  look_at_descriptors(guest, name, true, rows);
}

// A guest that has everything there is.
std::string live(const std::string& socket, Signal& ready, Signal& end) {
  guest::Guest guest = guest::Guest::attach({.socket_path = socket});
  guest::SubscribeOptions named;
  named.backing = guest::Backing::named;
  guest::SubscribeOptions sealed;
  sealed.backing = guest::Backing::sealed;
  const auto one = guest.subscribe("t", named);
  const auto other = guest.subscribe("t", sealed);
  auto publisher = guest.publisher();
  if (publisher.publish("t", "x").taken != 2) return "not delivered";
  ready.send();
  return end.wait() ? "" : "lost";
}

// A host whose guests' segments are sealed unless they ask for something else.
std::string host(const std::string& name, const std::string& socket, Signal& ready, Signal& end) {
  broker::BrokerOptions options;
  options.name = name;
  options.socket_path = socket;
  options.backing = shm::control::BackingWish::sealed;
  broker::Broker broker(options);
  broker.start();
  ready.send();
  return end.wait() ? "" : "lost";
}

TEST(Mappings, of_broker_and_guests_are_those_of_the_page) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root may look into fairlead-broker";
  Rows seen;
  {
    const BrokerProcess daemon;
    Signal ready;
    Signal end;
    ChildProcess guest([&] { return live(daemon.socket(), ready, end); });
    ASSERT_TRUE(ready.wait()) << guest.result();
    look_at(daemon.program().pid(), guest.pid(), daemon.name(), seen);
    end.send();
    EXPECT_EQ(guest.result(), "");
  }
  {
    const ScratchDirectory scratch;
    const std::string name = unique_broker_name();
    Signal serving;
    Signal ready;
    Signal end_of_host;
    Signal end_of_guest;
    ChildProcess broker(
        [&] { return host(name, scratch.path_of("host.sock"), serving, end_of_host); });
    ASSERT_TRUE(serving.wait()) << broker.result();
    ChildProcess guest([&] { return live(scratch.path_of("host.sock"), ready, end_of_guest); });
    ASSERT_TRUE(ready.wait()) << guest.result();
    look_at(broker.pid(), guest.pid(), name, seen);
    end_of_guest.send();
    EXPECT_EQ(guest.result(), "");
    end_of_host.send();
    EXPECT_EQ(broker.result(), "");
  }
  EXPECT_THAT(texts(seen), ElementsAreArray(texts(rows_of_the_page())));
}

}  // namespace
}  // namespace fairlead::test
