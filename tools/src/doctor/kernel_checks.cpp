#include "doctor/kernel_checks.hpp"

namespace fairlead::tools::doctor {
namespace {

struct Texts {
  const char* id;
  const char* works;
  const char* without;  // what does not work then
  const char* advice;
};

Finding judge(const Texts& texts, Status without, const std::string& error) {
  if (error.empty()) return {texts.id, Status::ok, texts.works, ""};
  return {texts.id, without, std::string(texts.without) + ": " + error, texts.advice};
}

}  // namespace

Finding judge_sealed_memory(const std::string& error) {
  return judge({"sealed-memory", "memfds can be sealed against later writers (F_SEAL_FUTURE_WRITE)",
                "memfds cannot be sealed against later writers, so guests cannot attach",
                "use a kernel from 5.1 on"},
               Status::fail, error);
}

Finding judge_read_only_futex(const std::string& error) {
  return judge({"read-only-futex", "a guest can sleep on memory that it may only read",
                "a guest cannot sleep on memory that it may only read",
                "use a Linux kernel as it is; emulations (gVisor, WSL 1) differ here"},
               Status::fail, error);
}

Finding judge_descriptor_passing(const std::string& error) {
  return judge({"descriptors", "descriptors can be sent over a socket (SCM_RIGHTS, SOCK_SEQPACKET)",
                "descriptors cannot be sent over a socket, so guests cannot attach",
                "allow AF_UNIX in the sandbox or security module that forbids it"},
               Status::fail, error);
}

Finding judge_membarrier(const std::string& error) {
  return judge({"membarrier", "membarrier offers PRIVATE_EXPEDITED",
                "membarrier does not offer PRIVATE_EXPEDITED; plain fences are used",
                "allow membarrier(2) in the seccomp filter, or use a kernel from 4.14 on"},
               Status::warn, error);
}

Finding judge_process_descriptor(const std::string& error) {
  return judge({"pidfd", "a process can be watched by a descriptor (pidfd_open)",
                "a process cannot be watched by a descriptor; sockets must tell who is gone",
                "use a kernel from 5.3 on"},
               Status::warn, error);
}

Finding judge_user_namespace(const std::string& error) {
  return judge({"user-namespaces", "this user can make user namespaces",
                "this user cannot make user namespaces, which sandboxes need",
                "sysctl user.max_user_namespaces=10000 (and kernel.unprivileged_userns_clone=1, "
                "kernel.apparmor_restrict_unprivileged_userns=0 where they exist)"},
               Status::warn, error);
}

Finding judge_bubblewrap(const std::string& path) {
  if (!path.empty()) return {"bubblewrap", Status::ok, "guests can be sandboxed by " + path, ""};
  return {"bubblewrap", Status::warn,
          "there is no bwrap: guests of the broker's own user are only kept apart if they behave",
          "apt-get install bubblewrap"};
}

}  // namespace fairlead::tools::doctor
