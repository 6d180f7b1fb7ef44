#include "sandbox/explain.hpp"

#include <cstdio>
#include <string>

#include "sandbox/call_filter.hpp"
#include "sandbox/system_calls.hpp"

namespace fairlead::tools::sandbox {
namespace {

constexpr const char* kOwnNamespaces =
    "Namespaces of its own:\n"
    "  user     no privilege outside, if this kernel lets this user make one\n"
    "  mount    an empty, read-only file system with what is bound below\n"
    "  pid      sees and signals no process outside; ends with fairlead run\n"
    "  net      no network, no abstract sockets\n"
    "  ipc uts cgroup\n"
    "No capability, no new privilege, a session of its own (no terminal to type into).\n";

constexpr const char* kDescriptors =
    "Descriptors: 0, 1, 2, the connection of FAIRLEAD_FD, and FAIRLEAD_KEEPER_FD, over which\n"
    "fairlead run hands in another connection as that principal; all others are closed.\n"
    "Environment and user: as they are.\n";

constexpr int kPathColumns = 22;
constexpr int kCallColumns = 18;

void print_row(const std::string& name, int columns, const std::string& text) {
  std::printf("  %-*s %s\n", columns, name.c_str(), text.c_str());
}

void print_files(const SandboxPlan& plan) {
  std::puts("\nFiles, all read-only:");
  for (const Bind& bind : plan.binds) print_row(bind.path, kPathColumns, bind.why);
  for (const Link& link : plan.links) print_row(link.path, kPathColumns, "-> " + link.target);
  print_row("/proc", kPathColumns, "of its own PID namespace");
  print_row("/dev", kPathColumns, "null, zero, full, random, urandom, tty; no devices");
  print_row("/dev/shm", kPathColumns, "empty, its own");
  print_row("/tmp", kPathColumns, "empty, its own");
  print_row(kLauncherPath, kPathColumns, "fairlead, which becomes CMD; cannot be opened");
}

void print_landlock(const SandboxPlan& plan, bool required) {
  const int version = landlock_version();
  std::printf("\nLandlock: %s%s.\n", landlock_text(version).c_str(), required ? " (required)" : "");
  if (version == 0) return;
  for (const FileRule& rule : plan.rules) {
    print_row(rule.path, kPathColumns, rule.execute ? "read, load code" : "read");
  }
}

void print_calls() {
  std::puts(
      "\nSystem calls; any other ends in EPERM, one of another architecture kills the process:");
  for (const AllowedCall& call : allowed_calls()) {
    if (!exists_here(call.name)) continue;
    std::string text = call.why;
    if (call.condition != CallCondition::always)
      text += std::string("; ") + text_of(call.condition);
    print_row(call.name, kCallColumns, text);
  }
}

void print_command(const SandboxPlan& plan) {
  std::puts("\nbubblewrap:");
  std::string line = " ";
  for (const std::string& word : bubblewrap_command(plan)) line += " " + word;
  if (plan.bubblewrap.empty()) line = "  not installed: apt-get install bubblewrap";
  std::puts(line.c_str());
}

}  // namespace

void print_explanation(const SandboxPlan& plan, bool requires_landlock) {
  std::fputs(kOwnNamespaces, stdout);
  std::fputs(kDescriptors, stdout);
  print_files(plan);
  print_landlock(plan, requires_landlock);
  print_calls();
  print_command(plan);
}

}  // namespace fairlead::tools::sandbox
