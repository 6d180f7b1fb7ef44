#include "support/stream_account.hpp"

#include <algorithm>

namespace fairlead::test {
namespace {

std::string text_of(std::uint64_t number) { return std::to_string(number); }

// How many of the messages from `first` to `last`.
std::uint64_t count_between(std::uint64_t first, std::uint64_t last) noexcept {
  return last < first ? 0 : last - first + 1;
}

}  // namespace

void StreamAccount::add_older_stream(std::uint64_t stream, Progress before, Progress after) {
  streams_[stream] = {.first_possible = before.acknowledged + 1,
                      .first_certain = after.attempted + 1};
}

std::string StreamAccount::take(std::uint64_t stream, std::uint64_t number, std::uint64_t lost,
                                std::uint64_t attempted) {
  const std::string what = "message " + text_of(number) + " of stream " + text_of(stream);
  const auto known = streams_.find(stream);
  if (known == streams_.end() && stream <= newest_older_) {
    return what + " came, whose publisher had ended long before the route began";
  }
  Stream& state = known != streams_.end() ? known->second : streams_[stream];
  ++received_;
  reported_ += lost;
  if (number > attempted) return what + " came, which was never published";
  if (number < state.first_possible) {
    return what + " came, which was acknowledged before the route began";
  }
  if (state.newest != 0 && number <= state.newest) {
    return what + " came after message " + text_of(state.newest) + ": twice, or out of order";
  }
  if (state.newest != 0) {
    missing_ += number - state.newest - 1;
    perhaps_missing_ += number - state.newest - 1;
  } else {
    missing_ += count_between(state.first_certain, number - 1);
    perhaps_missing_ += count_between(state.first_possible, number - 1);
  }
  state.newest = number;
  return {};
}

std::string StreamAccount::check() const {
  if (missing_ <= reported_) return {};
  return text_of(missing_) + " messages are missing, " + text_of(reported_) +
         " were reported as lost";
}

void StreamAccount::close_stream(std::uint64_t stream, Progress before, Progress after) {
  if (stream <= newest_older_ && !streams_.contains(stream)) return;
  const Stream& state = streams_[stream];
  const std::uint64_t next = state.newest + 1;
  missing_ += count_between(std::max(next, state.first_certain), before.acknowledged);
  perhaps_missing_ += count_between(std::max(next, state.first_possible), after.attempted);
}

std::string StreamAccount::check_closed() const {
  if (std::string problem = check(); !problem.empty()) return problem;
  if (reported_ <= perhaps_missing_) return {};
  return text_of(reported_) + " messages were reported as lost, " + text_of(perhaps_missing_) +
         " are missing at most";
}

}  // namespace fairlead::test
