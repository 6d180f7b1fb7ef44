// Colours, where the reader is a terminal.
#pragma once

#include <string>
#include <string_view>

namespace fairlead::tools {

class Paint {
 public:
  explicit Paint(bool colours) noexcept : colours_(colours) {}

  /// For what goes to standard output: a terminal that is not dumb, and NO_COLOR is not set.
  [[nodiscard]] static Paint for_stdout();

  [[nodiscard]] bool colours() const noexcept { return colours_; }

  [[nodiscard]] std::string bold(std::string_view text) const { return wrap("1", text); }
  [[nodiscard]] std::string good(std::string_view text) const { return wrap("32", text); }
  [[nodiscard]] std::string doubtful(std::string_view text) const { return wrap("33", text); }
  [[nodiscard]] std::string bad(std::string_view text) const { return wrap("1;31", text); }

 private:
  [[nodiscard]] std::string wrap(std::string_view code, std::string_view text) const;

  bool colours_;
};

}  // namespace fairlead::tools
