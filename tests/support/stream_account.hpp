// What one route has to show of numbered streams: each message once and in order, or reported as
// lost. Nothing here is shared; what publishers did is told by whoever uses this.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace fairlead::test {

/// What a publisher has written down of itself, also if it was killed since: it writes `attempted`
/// before a publish and `acknowledged` after its receipt. The messages up to `acknowledged` were
/// delivered, those up to `attempted` may have been.
struct Progress {
  std::uint64_t acknowledged = 0;
  std::uint64_t attempted = 0;
};

class StreamAccount {
 public:
  /// A stream that may have begun before the route: `before` is its progress from before the
  /// subscribe call, `after` from after it. Streams that were not named begin with message 1.
  void add_older_stream(std::uint64_t stream, Progress before, Progress after);
  /// Whether older streams that were not named are a mistake: those up to this one are.
  void set_newest_older_stream(std::uint64_t stream) noexcept { newest_older_ = stream; }

  /// A message of the stream, `lost` being what it says is missing before it in its lane. Empty, or
  /// what is wrong with it. `attempted`: of its publisher, read after the message was received.
  [[nodiscard]] std::string take(std::uint64_t stream, std::uint64_t number, std::uint64_t lost,
                                 std::uint64_t attempted);
  /// Losses of lanes that ended.
  void take_ended_loss(std::uint64_t messages) noexcept { reported_ += messages; }
  /// After each drain: what is missing so far was reported (R29). Empty, or what is wrong.
  [[nodiscard]] std::string check() const;

  /// At the end of the route, for each stream that may have a message in it: its progress from
  /// before the route was ended, and from after that.
  void close_stream(std::uint64_t stream, Progress before, Progress after);
  /// After that: what was reported as lost is what is missing.
  [[nodiscard]] std::string check_closed() const;

  [[nodiscard]] std::uint64_t received() const noexcept { return received_; }
  [[nodiscard]] std::uint64_t reported() const noexcept { return reported_; }

 private:
  struct Stream {
    std::uint64_t first_possible = 1;
    std::uint64_t first_certain = 1;
    std::uint64_t newest = 0;  // 0: none yet
  };

  std::map<std::uint64_t, Stream> streams_;
  std::uint64_t newest_older_ = 0;
  std::uint64_t received_ = 0;
  std::uint64_t reported_ = 0;
  // Messages that are missing for certain, and at most.
  std::uint64_t missing_ = 0;
  std::uint64_t perhaps_missing_ = 0;
};

}  // namespace fairlead::test
