// What the broker of this test allows.
#pragma once

namespace fairlead::test::churn {

// Tight quotas: one that is not given back is used up soon. A machine that is busy otherwise
// may let a guest wait for long.
inline constexpr const char* kPolicy = R"(
[broker]
attach_deadline_ms = 60000

[[principal]]
name = "agent.*"
uid = "self"
publish = ["churn.*", "resident.*"]
subscribe = ["churn.*", "resident.*"]
admission = "all"
[principal.quota]
guests = 16
routes = 32
total_budget_bytes = 134217728
outbox_bytes = 8388608
descriptors = 256
attaches_per_minute = 1000000

[[principal]]
name = "minted.*"
minted = true
publish = ["churn.*"]
subscribe = ["churn.*"]
admission = "all"
[principal.quota]
guests = 1
routes = 3
attaches_per_minute = 1000000

[[minter]]
uid = "self"
names = ["minted.*"]
)";

}  // namespace fairlead::test::churn
