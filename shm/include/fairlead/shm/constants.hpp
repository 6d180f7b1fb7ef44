// Named defaults and limits of docs/semantics.md; the rule that fixes each is given beside it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fairlead::shm {

// Topics and principals.
inline constexpr std::size_t kMaximumTopicBytes = 255;      // R04
inline constexpr std::size_t kMaximumTopicSegments = 20;    // R04
inline constexpr std::size_t kMaximumPrincipalBytes = 128;  // bytes of a principal's name
inline constexpr std::size_t kMaximumBrokerNameBytes = 48;

// Budgets.
inline constexpr std::uint64_t kDefaultBudgetBytes = 1024 * 1024;  // R15, per route
inline constexpr std::uint32_t kDefaultCapFactor = 4;              // R15, cap = 4 x budget
inline constexpr std::uint64_t kMaximumInlinePayloadBytes = 5 * 1024 * 1024;  // R31
inline constexpr std::uint32_t kMaximumLaneMessages = 16'384;                 // R19
inline constexpr std::uint32_t kDefaultLanesPerRoute = 8'192;                 // R19
inline constexpr std::uint32_t kMaximumLanesPerRoute =
    65'472;                                        // lane numbers fit in 16 bits, whole pages
inline constexpr std::uint32_t kHoldSlots = 256;   // R22, messages kept beyond the batch
inline constexpr std::uint32_t kTicketSlots = 64;  // batches outstanding at once, all workers

// Scheduling.
inline constexpr std::uint64_t kMinimumQuantumBytes = 4 * 1024;  // R23, R24

// Memory inside a route's segment.
inline constexpr std::uint32_t kRecordAlignment = 16;         // payloads are aligned to this
inline constexpr std::uint32_t kMinimumChunkBytes = 256;      // so that 5,000 one-message lanes fit
inline constexpr std::uint32_t kSuperblockBytes = 64 * 1024;  // the file grows and shrinks by these
inline constexpr std::uint32_t kActivationLogEntries = 2'048;
inline constexpr std::uint32_t kDrainReportEntries = 8'192;
inline constexpr std::uint32_t kLanesPerPage = 64;
inline constexpr std::uint32_t kMaximumLanePages = kMaximumLanesPerRoute / kLanesPerPage;

// Bounds on the work that a guest can cause in one broker operation.
inline constexpr std::uint32_t kMaximumFruitlessReports =
    1'024;  // report entries that led to nothing, beyond one per push
inline constexpr std::uint32_t kMaximumWakesPerSignal = 64;  // sleepers woken by one signal

// Outbox and receipts of a publishing guest.
inline constexpr std::uint64_t kDefaultOutboxBytes = 512 * 1024;
inline constexpr std::uint32_t kReceiptEntries =
    4'096;  // outcomes kept; at most that many unacknowledged

// Waiting.
inline constexpr std::uint64_t kLongestSleepNanoseconds = 5'000'000'000;  // every wait is timed
inline constexpr std::uint64_t kDefaultSpinNanoseconds = 2'000;

}  // namespace fairlead::shm
