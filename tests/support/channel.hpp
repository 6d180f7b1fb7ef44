// Frames and descriptors between a test and its child, over a socket pair. Blocking.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <fairlead/shm/unique_fd.hpp>

namespace fairlead::test {

class Channel {
 public:
  explicit Channel(shm::UniqueFd socket) noexcept : socket_(std::move(socket)) {}
  /// Two connected ends, close-on-exec. Throws Error.
  [[nodiscard]] static std::pair<Channel, Channel> make_pair();

  /// At most three descriptors. Throws std::runtime_error when the other end is gone.
  void send(const std::string& frame, const std::vector<int>& descriptors = {});
  struct Received {
    std::string frame;
    std::vector<shm::UniqueFd> descriptors;
  };
  /// Waits for a frame, `patience_milliseconds` at most (-1: for ever).
  [[nodiscard]] Received receive(int patience_milliseconds);
  void close() noexcept { socket_.reset(); }

 private:
  void receive_exactly(char* into, std::size_t bytes, int patience_milliseconds,
                       std::vector<shm::UniqueFd>& descriptors);
  shm::UniqueFd socket_;
};

/// Numbers and texts one after the other; what reads them must know the order.
class FrameWriter {
 public:
  FrameWriter& number(std::uint64_t value);
  FrameWriter& text(const std::string& value);
  [[nodiscard]] const std::string& frame() const noexcept { return frame_; }

 private:
  std::string frame_;
};

class FrameReader {
 public:
  explicit FrameReader(std::string frame) noexcept : frame_(std::move(frame)) {}
  [[nodiscard]] std::uint64_t number();
  [[nodiscard]] std::string text();

 private:
  std::string frame_;
  std::size_t at_ = 0;
};

}  // namespace fairlead::test
