// Makes a failing sequence short (Zeller's delta debugging, "ddmin").
#pragma once

#include <chrono>
#include <functional>

#include "operation.hpp"

namespace fairlead::test {

/// `fails` decides about a subsequence; it is true of `sequence` itself. The result still fails
/// and, unless `patience` ran out, would no longer fail without any one of its operations.
[[nodiscard]] Sequence shrink(Sequence sequence, const std::function<bool(const Sequence&)>& fails,
                              std::chrono::milliseconds patience);

}  // namespace fairlead::test
