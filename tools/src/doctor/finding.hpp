// What `fairlead doctor` has to say, one thing per finding.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fairlead::tools::doctor {

enum class Status : std::uint8_t {
  ok,
  warn,  // works, but not everything or not for long
  fail,  // fairlead does not work here
};

struct Finding {
  std::string id;  // "open-files"
  Status status = Status::ok;
  std::string what;    // a sentence without its full stop
  std::string advice;  // what to do; empty when ok
};

[[nodiscard]] std::string_view to_string(Status status) noexcept;

/// The worst of all; ok when there are none.
[[nodiscard]] Status worst(const std::vector<Finding>& findings) noexcept;

/// One line per finding; problems last, so that they are seen.
[[nodiscard]] std::string render_text(const std::vector<Finding>& findings, bool colours);
/// One JSON document, ending with a newline.
[[nodiscard]] std::string render_json(const std::vector<Finding>& findings);

}  // namespace fairlead::tools::doctor
