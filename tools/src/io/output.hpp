// Standard output, written whole and in the open: a reader that is gone is no error of ours, and a
// full disk is one.
#pragma once

#include <string_view>

namespace fairlead::tools {

class Output {
 public:
  /// SIGPIPE is ignored from now on.
  explicit Output(int descriptor);

  /// False when nobody reads any more. Throws Error for any other failure.
  [[nodiscard]] bool write(std::string_view text);
  /// Whether the reader is known to be gone (asks the kernel).
  [[nodiscard]] bool closed() const noexcept;
  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }

 private:
  int descriptor_;
};

/// Writes all of it to standard output, as a command's last act. A reader that has seen enough is
/// fine. Throws Error.
void print_all(std::string_view text);

}  // namespace fairlead::tools
