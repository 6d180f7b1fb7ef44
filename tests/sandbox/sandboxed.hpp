// A broker, and programs in `fairlead run --sandbox`.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "support/program.hpp"

namespace fairlead::test {

inline constexpr const char* kAttempt = FAIRLEAD_HELPERS_DIR "/attempt";

class Sandboxed : public testing::Test {
 protected:
  void SetUp() override {
    if (FAIRLEAD_SANITIZED != 0) GTEST_SKIP() << "a sanitizer's run time makes calls of its own";
    if (run_to_end({"/bin/sh", "-c", "bwrap --unshare-all --ro-bind / / true"}).code != 0) {
      GTEST_SKIP() << "bubblewrap is not there or cannot make namespaces here";
    }
  }

  [[nodiscard]] std::vector<std::string> sandboxed(std::vector<std::string> command,
                                                   std::vector<std::string> options = {}) const {
    std::vector<std::string> words = {"run",     "--sandbox", "--principal",
                                      "agent.x", "--socket",  broker_.socket()};
    words.insert(words.end(), options.begin(), options.end());
    words.emplace_back("--");
    words.insert(words.end(), command.begin(), command.end());
    return fairlead(std::move(words));
  }

  BrokerProcess broker_;
};

}  // namespace fairlead::test
