#include "sandbox/plan.hpp"

#include <algorithm>
#include <array>
#include <filesystem>

#include "command_line.hpp"
#include "doctor/kernel_checks.hpp"

namespace fairlead::tools::sandbox {
namespace {

namespace fs = std::filesystem;

constexpr std::array kSystemDirectories = {"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"};
constexpr std::array kSystemFiles = {"/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime"};
constexpr std::array kOpeners = {"/proc", "/dev", "/sys"};
constexpr std::array kReadableDevices = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random",
                                         "/dev/urandom"};

bool lies_below(const std::string& path, const std::string& directory) {
  return path == directory || path.starts_with(directory + "/");
}

void add_bind(SandboxPlan& plan, const std::string& path, const std::string& why) {
  plan.binds.push_back({path, why});
  plan.rules.push_back({path, true});
}

void add_system(SandboxPlan& plan) {
  add_bind(plan, "/usr", "programs and libraries");
  for (const std::string directory : kSystemDirectories) {
    std::error_code error;
    if (fs::is_symlink(directory, error)) {
      plan.links.push_back({directory, fs::read_symlink(directory)});
    } else if (fs::is_directory(directory, error)) {
      add_bind(plan, directory, "programs and libraries");
    }
  }
  for (const std::string file : kSystemFiles) {
    if (!fs::exists(file)) continue;
    plan.binds.push_back({file, "libc and Debian's links"});
    plan.rules.push_back({file, false});
  }
  plan.rules.push_back({"/proc", false});
  for (const std::string device : kReadableDevices) plan.rules.push_back({device, false});
}

// What hides behind a symbolic link counts.
void refuse_to_open_the_sandbox(const std::string& path) {
  const std::string real = fs::canonical(path).string();
  const bool opens =
      real == "/" || std::any_of(kOpeners.begin(), kOpeners.end(),
                                 [&](const char* each) { return lies_below(real, each); });
  if (opens) {
    throw UsageError("--bind-read " + path +
                     " would show the guest what the sandbox keeps from it");
  }
}

void add_read_paths(SandboxPlan& plan, const SandboxWishes& wishes) {
  for (const std::string& given : wishes.read_paths) {
    std::error_code error;
    if (!fs::exists(given, error)) throw UsageError("--bind-read: there is no " + given);
    refuse_to_open_the_sandbox(given);
    std::string path = fs::absolute(given).lexically_normal().string();
    if (path.size() > 1 && path.back() == '/') path.pop_back();
    add_bind(plan, path, "--bind-read");
  }
}

void add_program_files(SandboxPlan& plan, const SandboxWishes& wishes) {
  for (const std::string& file : wishes.program_files) {
    const auto covers = [&](const auto& each) { return lies_below(file, each.path); };
    if (std::any_of(plan.binds.begin(), plan.binds.end(), covers)) continue;
    if (std::any_of(plan.links.begin(), plan.links.end(), covers)) continue;
    add_bind(plan, file, "CMD");
  }
}

}  // namespace

SandboxPlan plan_sandbox(const SandboxWishes& wishes) {
  SandboxPlan plan;
  plan.bubblewrap = doctor::find_program("bwrap");
  plan.launcher = fs::read_symlink("/proc/self/exe").string();
  add_system(plan);
  add_read_paths(plan, wishes);
  add_program_files(plan, wishes);
  return plan;
}

std::vector<std::string> bubblewrap_command(const SandboxPlan& plan) {
  std::vector<std::string> command = {
      plan.bubblewrap, "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop",
      "ALL",           "--hostname",    "sandbox",           "--proc",        "/proc",
      "--dev",         "/dev",          "--tmpfs",           "/dev/shm",      "--dir",
      "/tmp"};
  const auto add = [&](std::initializer_list<std::string> words) {
    command.insert(command.end(), words);
  };
  for (const Bind& bind : plan.binds) add({"--ro-bind", bind.path, bind.path});
  for (const Link& link : plan.links) add({"--symlink", link.target, link.path});
  add({"--ro-bind", plan.launcher, kLauncherPath});
  for (const char* place : {"/dev/shm", "/dev", "/"}) add({"--remount-ro", place});
  add({"--chdir", "/", "--"});
  return command;
}

}  // namespace fairlead::tools::sandbox
