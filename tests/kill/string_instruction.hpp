// `rep stos` and `rep movs` of the x86-64 processor, carried out piece by piece: a single step
// would stop after each of their thousands of iterations.
#pragma once

#include <ucontext.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace fairlead::killing {

#if defined(__x86_64__)

class StringInstruction {
 public:
  /// Of the instruction that the machine stands at.
  explicit StringInstruction(mcontext_t& machine) noexcept : registers_(machine.gregs) {
    const auto* code = reinterpret_cast<const unsigned char*>(registers_[REG_RIP]);
    if (code[0] != 0xf3) return;
    const bool wide = code[1] == 0x48;
    const unsigned char operation = code[wide ? 2 : 1];
    const bool bytewise = operation == 0xa4 || operation == 0xaa;
    if (!bytewise && operation != 0xa5 && operation != 0xab) return;
    moves_ = operation < 0xa8;
    unit_ = bytewise ? 1 : (wide ? 8 : 4);
    code_bytes_ = wide ? 3 : 2;
  }

  [[nodiscard]] bool valid() const noexcept { return unit_ != 0; }
  [[nodiscard]] std::size_t left() const noexcept {
    return static_cast<std::size_t>(registers_[REG_RCX]);
  }
  /// Where its next store goes.
  [[nodiscard]] std::uintptr_t target() const noexcept {
    return static_cast<std::uintptr_t>(registers_[REG_RDI]);
  }
  [[nodiscard]] std::size_t bytes_of(std::size_t units) const noexcept { return units * unit_; }

  /// Does so many units, as the processor would.
  void carry_out(std::size_t units) noexcept {
    const std::size_t bytes = bytes_of(units);
    auto* into = reinterpret_cast<unsigned char*>(registers_[REG_RDI]);
    if (moves_) {
      std::memmove(into, reinterpret_cast<const void*>(registers_[REG_RSI]), bytes);
      registers_[REG_RSI] += static_cast<greg_t>(bytes);
    } else {
      for (std::size_t at = 0; at < bytes; at += unit_)
        std::memcpy(into + at, &registers_[REG_RAX], unit_);
    }
    registers_[REG_RDI] += static_cast<greg_t>(bytes);
    registers_[REG_RCX] -= static_cast<greg_t>(units);
  }
  /// Goes on behind it.
  void finish() noexcept { registers_[REG_RIP] += static_cast<greg_t>(code_bytes_); }

 private:
  gregset_t& registers_;
  bool moves_ = false;
  std::size_t unit_ = 0;
  std::size_t code_bytes_ = 0;
};

#endif

}  // namespace fairlead::killing
