#include "pub/message_splitter.hpp"

#include <utility>

#include <fairlead/shm/error.hpp>

namespace fairlead::tools {
namespace {

// As isspace() has it in the C locale; words of any encoding that keeps ASCII stay whole.
bool is_space(char c) noexcept { return c == ' ' || (c >= '\t' && c <= '\r'); }

const char* noun(SplitMode mode) noexcept {
  switch (mode) {
    case SplitMode::lines:
      return "line";
    case SplitMode::tokens:
      return "token";
    case SplitMode::whole:
      break;
  }
  return "message";
}

}  // namespace

MessageSplitter::MessageSplitter(SplitMode mode, std::size_t longest, Sink sink)
    : mode_(mode), longest_(longest), sink_(std::move(sink)) {}

void MessageSplitter::keep(std::string_view bytes) {
  if (bytes.size() > longest_ - rest_.size()) {
    throw Error(ErrorCode::limit, std::string(noun(mode_)) + ' ' + std::to_string(emitted_ + 1) +
                                      " is longer than a message may be (" +
                                      std::to_string(longest_) + " bytes)");
  }
  rest_ += bytes;
}

void MessageSplitter::emit(std::string_view end) {
  keep(end);
  ++emitted_;
  sink_(rest_);
  rest_.clear();
}

void MessageSplitter::feed(std::string_view bytes) {
  switch (mode_) {
    case SplitMode::whole:
      keep(bytes);
      break;
    case SplitMode::lines:
      feed_lines(bytes);
      break;
    case SplitMode::tokens:
      feed_tokens(bytes);
      break;
  }
}

void MessageSplitter::feed_lines(std::string_view bytes) {
  for (std::size_t end = bytes.find('\n'); end != std::string_view::npos; end = bytes.find('\n')) {
    emit(bytes.substr(0, end));
    bytes.remove_prefix(end + 1);
  }
  keep(bytes);
}

void MessageSplitter::feed_tokens(std::string_view bytes) {
  std::size_t begin = 0;
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    if (is_space(bytes[at])) {
      after_word_ = in_word_;
    } else if (after_word_) {  // the next word begins
      emit(bytes.substr(begin, at - begin));
      begin = at;
      after_word_ = false;
    } else {
      in_word_ = true;
    }
  }
  keep(bytes.substr(begin));
}

void MessageSplitter::finish() {
  if (!rest_.empty() || mode_ == SplitMode::whole) emit({});
}

}  // namespace fairlead::tools
