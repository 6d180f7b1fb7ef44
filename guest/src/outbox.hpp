// The guest's outbox and the receipts that come back, over all lives of the broker.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>
#include <vector>

#include <fairlead/guest/publisher.hpp>

#include "connection.hpp"
#include "deadline.hpp"
#include "fork_watch.hpp"
#include "outbox_mapping.hpp"

namespace fairlead::guest {

class Link;

/// Thread-safe. The outbox's words are written here, and read back only to hand over again what a
/// dead broker had not acknowledged; the receipts' are the broker's, and checked.
class Outbox {
 public:
  /// As OutboxMapping(). `link`: null if there is no coming back.
  Outbox(std::shared_ptr<Connection> connection, const shm::control::OutboxOpened& opened,
         std::vector<shm::UniqueFd> descriptors, std::shared_ptr<Link> link = nullptr);
  ~Outbox();

  PublishOutcome publish(std::string_view topic, std::span<const std::byte> payload,
                         const PublishOptions& options) noexcept;
  [[nodiscard]] PublishOutcome outcome(std::uint64_t number) noexcept;
  [[nodiscard]] FlushOutcome flush(std::chrono::nanoseconds timeout) noexcept;
  [[nodiscard]] std::uint64_t newest_number() noexcept;
  [[nodiscard]] std::uint64_t id() const noexcept { return id_; }

  // ---- the link's ------------------------------------------------------------------------------

  /// Hands over to the broker at the other end what the last one had not acknowledged. Throws Error
  /// when that connection is of no use any more. One thread at a time.
  void resume(const std::shared_ptr<Connection>& connection);
  /// No broker knows it any more.
  void lose() noexcept { lost_.store(true, std::memory_order_release); }
  [[nodiscard]] bool given_up() const noexcept { return lost_.load(std::memory_order_acquire); }

 private:
  using Mapping = std::shared_ptr<OutboxMapping>;
  enum class Room : std::uint8_t { yes, no, corrupt };
  enum class Waited : std::uint8_t { rang, timed_out, gone };

  struct Entry {  // one message on its way into the ring
    std::string_view topic;
    std::span<const std::byte> payload;
    std::uint64_t record_bytes;
    std::uint64_t block_until_nanoseconds;
  };
  struct Entered {
    std::uint64_t number = 0;
    Mapping mapping;    // that it went into; only if somebody will wait for its receipt
    bool look = false;  // the broker has not acknowledged anything for a while
  };

  [[nodiscard]] PublishStatus enter(const Entry& entry, SteadyTime deadline, bool will_wait,
                                    Entered& entered) noexcept;
  [[nodiscard]] Room make_room(std::uint64_t record_bytes) noexcept;
  void write(const Entry& entry) noexcept;
  void write_filler(std::uint64_t rest) noexcept;
  [[nodiscard]] bool show_tail() noexcept;
  [[nodiscard]] bool stands_still() noexcept;
  [[nodiscard]] PublishStatus wait_for_receipt(std::uint64_t number, Mapping mapping,
                                               SteadyTime deadline) noexcept;
  [[nodiscard]] static Waited wait_until(const OutboxMapping& mapping, std::uint32_t seen_doorbell,
                                         SteadyTime deadline) noexcept;

  /// Once the broker is gone: for good.
  [[nodiscard]] bool lost() const noexcept;
  /// For who found the broker gone: false if it is for good, true if it is back or the time is up.
  [[nodiscard]] bool come_back(SteadyTime deadline) noexcept;
  [[nodiscard]] Mapping mapping() noexcept;
  [[nodiscard]] std::uint64_t first_without_receipt();
  void copy_rest(OutboxMapping& to);
  [[nodiscard]] std::uint64_t first_position() const;
  void keep_receipts(std::uint64_t next_first_number);
  [[nodiscard]] const ReceiptPage* earlier_page_of(std::uint64_t number) const noexcept;
  [[nodiscard]] bool read_record(std::uint64_t& position, shm::OutboxRecord& record) const;

  const std::uint64_t id_;
  const std::uint64_t ring_bytes_;
  const HomeProcess home_;
  const std::shared_ptr<Link> link_;
  std::atomic<bool> lost_{false};

  std::mutex mutex_;
  Mapping mapping_;  // guarded by mutex_, as are the next
  /// Of earlier lives in which something was accepted that an outcome may be asked of; newest last.
  std::vector<std::shared_ptr<const ReceiptPage>> earlier_receipts_;
  std::uint64_t tail_ = 0;
  std::uint64_t newest_number_ = 0;  // given out
  std::uint64_t seen_accepted_ = 0;
  std::uint32_t unmoved_ = 0;  // publishes since that changed
  SteadyTime unmoved_since_{};
};

}  // namespace fairlead::guest
