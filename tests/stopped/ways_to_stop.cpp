#include "ways_to_stop.hpp"

#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "support/child_process.hpp"

namespace fairlead::test {

namespace {

bool write_line(const std::filesystem::path& file, const std::string& text) {
  std::ofstream stream(file);
  stream << text << std::flush;
  return stream.good();
}

std::string first_line(const std::filesystem::path& file) {
  std::ifstream stream(file);
  std::string line;
  std::getline(stream, line);
  return line;
}

class BySignal final : public WayToStop {
 public:
  ~BySignal() override { go_on(); }
  std::string stop(const std::vector<pid_t>& processes) override {
    for (const pid_t each : processes) {
      if (!send_signal(each, SIGSTOP)) return "a guest is gone";
      stopped_.push_back(each);
    }
    return {};
  }
  void go_on() override {
    for (const pid_t each : stopped_) send_signal(each, SIGCONT);
    stopped_.clear();
  }

 private:
  std::vector<pid_t> stopped_;
};

// A cgroup below that of the controller's root, gone with its object.
class Group {
 public:
  /// `knob`: the file that the wanted controller puts into each group.
  Group(std::vector<std::filesystem::path> roots, const std::string& knob) {
    for (const auto& root : roots) {
      const auto path = root / ("fairlead-test-" + std::to_string(::getpid()));
      std::error_code error;
      if (!std::filesystem::exists(root / "cgroup.procs", error)) continue;
      (void)write_line(root / "cgroup.subtree_control", "+cpu");  // version 2; fails elsewhere
      if (!std::filesystem::create_directory(path, error)) continue;
      if (std::filesystem::exists(path / knob, error)) {
        path_ = path;
        root_ = root;
        return;
      }
      std::filesystem::remove(path, error);
    }
  }
  ~Group() {
    if (path_.empty()) return;
    // Whoever is left in it, moves out.
    std::ifstream members(path_ / "cgroup.procs");
    for (std::string member; std::getline(members, member);)
      (void)write_line(root_ / "cgroup.procs", member);
    std::error_code error;
    std::filesystem::remove(path_, error);
  }
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;

  [[nodiscard]] bool exists() const { return !path_.empty(); }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] bool add(const std::vector<pid_t>& processes) const {
    for (const pid_t each : processes) {
      if (!write_line(path_ / "cgroup.procs", std::to_string(each))) return false;
    }
    return true;
  }

 private:
  std::filesystem::path path_;
  std::filesystem::path root_;
};

class ByFreezing final : public WayToStop {
 public:
  ByFreezing()
      : modern_({"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}, "cgroup.freeze"),
        old_(modern_.exists() ? std::vector<std::filesystem::path>()
                              : std::vector<std::filesystem::path>{"/sys/fs/cgroup/freezer"},
             "freezer.state") {}
  ~ByFreezing() override { go_on(); }

  [[nodiscard]] std::string unavailable() const override {
    return modern_.exists() || old_.exists() ? "" : "no cgroup can be made that freezes";
  }
  std::string stop(const std::vector<pid_t>& processes) override {
    const Group& group = modern_.exists() ? modern_ : old_;
    if (!group.add(processes) || !set(true)) return "they cannot be frozen";
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!frozen()) {
      if (std::chrono::steady_clock::now() > deadline) return "they do not freeze";
      std::this_thread::yield();
    }
    return {};
  }
  void go_on() override { (void)set(false); }

 private:
  bool set(bool freeze) const {
    if (modern_.exists()) return write_line(modern_.path() / "cgroup.freeze", freeze ? "1" : "0");
    return old_.exists() && write_line(old_.path() / "freezer.state", freeze ? "FROZEN" : "THAWED");
  }
  [[nodiscard]] bool frozen() const {
    if (!modern_.exists()) return first_line(old_.path() / "freezer.state") == "FROZEN";
    std::ifstream events(modern_.path() / "cgroup.events");
    for (std::string line; std::getline(events, line);) {
      if (line == "frozen 1") return true;
    }
    return false;
  }

  Group modern_;
  Group old_;
};

class ByQuota final : public WayToStop {
 public:
  ByQuota()
      : modern_({"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}, "cpu.max"),
        old_(modern_.exists() ? std::vector<std::filesystem::path>()
                              : std::vector<std::filesystem::path>{"/sys/fs/cgroup/cpu"},
             "cpu.cfs_quota_us") {}

  [[nodiscard]] std::string unavailable() const override {
    return modern_.exists() || old_.exists() ? "" : "no cgroup can be made with a quota";
  }
  std::string stop(const std::vector<pid_t>& processes) override {
    const bool limited = modern_.exists()
                             ? write_line(modern_.path() / "cpu.max", "1000 100000")
                             : write_line(old_.path() / "cpu.cfs_period_us", "100000") &&
                                   write_line(old_.path() / "cpu.cfs_quota_us", "1000");
    return limited && (modern_.exists() ? modern_ : old_).add(processes) ? ""
                                                                         : "they cannot be limited";
  }
  void go_on() override {
    if (modern_.exists()) (void)write_line(modern_.path() / "cpu.max", "max 100000");
    if (old_.exists()) (void)write_line(old_.path() / "cpu.cfs_quota_us", "-1");
  }

 private:
  Group modern_;
  Group old_;
};

}  // namespace

std::unique_ptr<WayToStop> stop_by_signal() { return std::make_unique<BySignal>(); }
std::unique_ptr<WayToStop> stop_by_freezing() { return std::make_unique<ByFreezing>(); }
std::unique_ptr<WayToStop> stop_by_quota() { return std::make_unique<ByQuota>(); }

}  // namespace fairlead::test
