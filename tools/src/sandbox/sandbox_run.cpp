#include "sandbox/sandbox_run.hpp"

#include <cerrno>

#include <fairlead/shm/error.hpp>

#include "program.hpp"
#include "run/child_runner.hpp"
#include "run/run_command.hpp"
#include "sandbox/explain.hpp"
#include "sandbox/keeper_link.hpp"
#include "sandbox/launcher.hpp"
#include "sandbox/plan.hpp"
#include "sandbox/program_file.hpp"

namespace fairlead::tools::sandbox {
namespace {

constexpr const char* kSandboxRunName = "fairlead run";

std::vector<std::string> whole_command(const SandboxPlan& plan, const Launch& launch) {
  std::vector<std::string> command = bubblewrap_command(plan);
  command.emplace_back(kLauncherPath);
  for (std::string& word : arguments_of(launch)) command.push_back(std::move(word));
  return command;
}

}  // namespace

int run_in_sandbox(const std::vector<std::string>& command, const SandboxOptions& options,
                   const std::function<shm::UniqueFd()>& connect, guest::Keeper& keeper) {
  const ProgramFile program = find_program_file(command);
  if (program.error != 0) return cannot_start(command.front(), program.error);
  const SandboxPlan plan = plan_sandbox({options.read_paths, program.needs});
  if (plan.bubblewrap.empty()) {
    report(kSandboxRunName, "there is no bwrap, which --sandbox needs: apt-get install bubblewrap");
    return kRunFailed;
  }
  shm::UniqueFd connection = connect();
  KeeperLink link;
  const Launch launch{.keeper = link.launchers_end(),
                      .connection = connection.get(),
                      .reconnection = keeper.guests_end(),
                      .needs_landlock = options.require_landlock,
                      .rules = plan.rules,
                      .file = program.file,
                      .words = program.words};
  const ChildOptions child{.descriptor = link.launchers_end(),
                           .own_group = true,
                           .find_receiver = [&link] { return link.wait_for_launcher(); }};
  const int code = run_child(whole_command(plan, launch), std::move(connection), keeper, child);
  // bwrap has said what is wrong; its own failures are exit code 1.
  return !link.launched() && code == 1 ? kRunFailed : code;
}

void explain_sandbox(const std::vector<std::string>& command, const SandboxOptions& options) {
  SandboxWishes wishes{options.read_paths, {}};
  if (!command.empty()) wishes.program_files = find_program_file(command).needs;
  print_explanation(plan_sandbox(wishes), options.require_landlock);
}

}  // namespace fairlead::tools::sandbox
