// Cuts an input into messages.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace fairlead::tools {

enum class SplitMode : std::uint8_t {
  whole,   // all of it is one message, also when it is empty
  lines,   // one message per line, without its newline; the last one may lack it
  tokens,  // one per word, with the white space that follows it (and the first one with what goes
           // before it): put together again they are the input, byte for byte
};

class MessageSplitter {
 public:
  using Sink = std::function<void(std::string_view message)>;

  /// No message is longer than `longest` bytes: feed() and finish() throw Error(limit).
  MessageSplitter(SplitMode mode, std::size_t longest, Sink sink);

  /// Passes on every message that is complete; the rest waits for more.
  void feed(std::string_view bytes);
  /// The input has ended.
  void finish();

 private:
  void keep(std::string_view bytes);
  void emit(std::string_view end);
  void feed_lines(std::string_view bytes);
  void feed_tokens(std::string_view bytes);

  SplitMode mode_;
  std::size_t longest_;
  Sink sink_;
  std::string rest_;
  std::uint64_t emitted_ = 0;
  bool in_word_ = false;     // tokens: rest_ holds a word
  bool after_word_ = false;  // and white space after it
};

}  // namespace fairlead::tools
