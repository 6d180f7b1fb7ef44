// Kernel features: each is tried, not looked up.
#pragma once

#include <string>

#include "doctor/finding.hpp"

namespace fairlead::tools::doctor {

/// Each tries one thing that fairlead does and returns what went wrong, empty if nothing did. They
/// leave nothing behind and take a few milliseconds at most.
[[nodiscard]] std::string try_sealed_memory();       // memfd with F_SEAL_FUTURE_WRITE, which holds
[[nodiscard]] std::string try_read_only_futex();     // FUTEX_WAIT on a read-only shared mapping
[[nodiscard]] std::string try_descriptor_passing();  // SCM_RIGHTS over SOCK_SEQPACKET
[[nodiscard]] std::string try_membarrier();          // PRIVATE_EXPEDITED is offered
[[nodiscard]] std::string try_process_descriptor();  // pidfd_open()
[[nodiscard]] std::string try_user_namespace();      // made without a privilege, in a child

[[nodiscard]] Finding judge_sealed_memory(const std::string& error);
[[nodiscard]] Finding judge_read_only_futex(const std::string& error);
[[nodiscard]] Finding judge_descriptor_passing(const std::string& error);
[[nodiscard]] Finding judge_membarrier(const std::string& error);
[[nodiscard]] Finding judge_process_descriptor(const std::string& error);
[[nodiscard]] Finding judge_user_namespace(const std::string& error);
/// `path`: of the program bwrap, empty when there is none.
[[nodiscard]] Finding judge_bubblewrap(const std::string& path);

/// The first `program` in the directories of PATH that can be executed; empty: none.
[[nodiscard]] std::string find_program(const std::string& program);

}  // namespace fairlead::tools::doctor
