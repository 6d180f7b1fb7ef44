// What an intruder says, and to which descriptors.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

#include <fairlead/shm/control_socket.hpp>
#include <fairlead/shm/error.hpp>

#include "intruder.hpp"

namespace fairlead::hostile_processes {

namespace control = shm::control;
using control::Kind;

// As an honest guest does, but for the sizes.
void Intruder::publish() {
  if (!outbox_ || !receipts_) return;
  const std::uint64_t consumed =
      receipts_->as<const shm::ReceiptHeader>().accepted_bytes.load(std::memory_order_acquire);
  const bool elsewhere = one_in(30);
  const std::string_view topic = elsewhere ? "h.stream" : one_in(2) ? "shared.x" : "x.y";
  const std::uint64_t payload = one_in(10) ? below(ring_bytes_ / 2) : below(300);
  const std::uint64_t bytes = (sizeof(shm::OutboxRecord) + payload + topic.size() + 15) / 16 * 16;
  const std::uint64_t rest = ring_bytes_ - tail_ % ring_bytes_;
  const std::uint64_t filler = rest < bytes ? rest : 0;
  if (tail_ - consumed + filler + bytes > ring_bytes_) return storm_of_kicks();
  std::byte* const ring = outbox_->bytes().data() + shm::kOutboxRingOffset;
  const auto put = [&](const shm::OutboxRecord& record) {
    std::memcpy(ring + tail_ % ring_bytes_, &record, sizeof record);
  };
  if (filler >= sizeof(shm::OutboxRecord))
    put({static_cast<std::uint32_t>(filler), shm::OutboxKind::filler, 0, 0, 0, 0});
  tail_ += filler;
  // Some ask to be held back for long (R21).
  put({static_cast<std::uint32_t>(bytes), shm::OutboxKind::message,
       static_cast<std::uint32_t>(payload), static_cast<std::uint32_t>(topic.size()), ++number_,
       one_in(20) ? ~std::uint64_t{0} : 0});
  std::memcpy(ring + tail_ % ring_bytes_ + sizeof(shm::OutboxRecord) + payload, topic.data(),
              topic.size());
  tail_ += bytes;
  outbox_->as<shm::OutboxHeader>().tail.store(tail_, std::memory_order_release);
  if (receipts_->as<const shm::ReceiptHeader>().broker_asleep.load() != 0)
    send_packet(packet<control::Plain>(Kind::kick));
}

// As an honest guest moves on: to the end of what is there, unseen.
void Intruder::claim() {
  for (const auto& route : routes_) {
    const auto& header = route->segment.as<const shm::RouteHeader>();
    const std::uint64_t page = std::uint64_t{header.lane_pages[0].load()} * 256;
    if (page == 0 || page + sizeof(shm::LanePage) > header.committed_bytes.load()) continue;
    const auto& lanes =
        *reinterpret_cast<const shm::LanePage*>(route->segment.bytes().data() + page);
    auto* const cursors =
        reinterpret_cast<shm::LaneCursor*>(route->cursors.bytes().data() + shm::kCursorLanesOffset);
    for (std::uint32_t lane = 0; lane < 8; ++lane) {
      const std::uint64_t tail = lanes.heads[lane].tail.load(std::memory_order_acquire);
      std::uint64_t head = cursors[lane].head.load();
      if (tail > head)
        cursors[lane].head.compare_exchange_strong(head, head + 1 + below(tail - head));
      auto& shared = route->cursors.as<shm::CursorHeader>();
      shared.report_log[shared.reports.load() % shm::kDrainReportEntries].store(lane);
      shared.reports.fetch_add(1);
    }
  }
}

void Intruder::storm_of_kicks() {
  const auto kick = packet<control::Plain>(Kind::kick);
  for (std::uint64_t left = below(500); left > 0 && send_packet(kick); --left) {
  }
}

void Intruder::flood_wake_socket() {
  std::byte nothing[64] = {};
  for (const auto& route : routes_) {
    if (!route->wake) continue;
    while (::send(route->wake.get(), nothing, sizeof nothing, MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {
    }
    if (one_in(10)) ::shutdown(route->wake.get(), SHUT_RD);
  }
}

std::vector<std::byte> Intruder::some_packet() {
  std::vector<std::byte> bytes;
  const auto keep = [&](const auto& made) {
    const auto view = std::as_bytes(std::span(&made, 1));
    bytes.assign(view.begin(), view.end());
  };
  switch (below(9)) {
    case 0:
      keep(packet<control::Hello>(Kind::hello));
      break;
    case 1:
      keep(packet<control::Mint>(Kind::mint));
      break;
    case 2:
      keep(packet<control::Subscribe>(Kind::subscribe));
      break;
    case 3:
      keep(packet<control::Unsubscribe>(Kind::unsubscribe));
      break;
    case 4:
      keep(packet<control::OpenOutbox>(Kind::open_outbox));
      break;
    case 5:
      keep(packet<control::SetGate>(Kind::set_gate));
      break;
    case 6:
      keep(packet<control::Plain>(Kind::acknowledge));
      break;
    case 7:
      keep(packet<control::Plain>(Kind::list_sealed));
      break;
    default:
      keep(packet<control::Welcome>(Kind::welcome));
      break;
  }
  return bytes;
}

void Intruder::random_packet() {
  std::vector<std::byte> bytes(1 + below(one_in(2) ? 64 : 2'000));
  for (auto& byte : bytes) byte = static_cast<std::byte>(random_());
  if (one_in(2)) {
    bytes = some_packet();
    for (std::uint64_t changes = 1 + below(8); changes > 0; --changes) {
      bytes[sizeof(control::Header) + below(bytes.size() - sizeof(control::Header))] =
          static_cast<std::byte>(random_());
    }
  }
  send(bytes);
}

void Intruder::half_packet() {
  std::vector<std::byte> bytes = some_packet();
  bytes.resize(one_in(8) ? 0 : below(bytes.size()) + (one_in(4) ? bytes.size() : 0));
  send(bytes);
}

void Intruder::foreign_descriptors() {
  const shm::UniqueFd memory(::memfd_create("foreign", MFD_CLOEXEC));
  int ends[2] = {-1, -1};
  if (!memory || ::pipe2(ends, O_CLOEXEC) != 0) return;
  const shm::UniqueFd reader(ends[0]);
  const shm::UniqueFd writer(ends[1]);
  const int all[] = {memory.get(), reader.get(), writer.get(), socket_.get(),
                     outbox_ ? outbox_->descriptor() : memory.get()};
  std::vector<int> sent(1 + below(200));
  for (int& each : sent) each = all[below(std::size(all))];
  const auto kick = packet<control::Plain>(Kind::kick);
  send(std::as_bytes(std::span(&kick, 1)), sent);
}

// More than may wait, some of them nonsense, answers unread.
void Intruder::many_requests() {
  for (std::uint64_t left = 1 + below(one_in(20) ? 100 : 6); left > 0 && !thrown_out_; --left) {
    switch (below(4)) {
      case 0: {
        auto made = packet<control::Unsubscribe>(Kind::unsubscribe);
        made.subscription = routes_.empty() || one_in(4)
                                ? random_()
                                : routes_[below(routes_.size())]->answer.subscription;
        made.unmapped = static_cast<std::uint32_t>(below(2));  // a lie: it maps it still
        send_packet(made);
        break;
      }
      case 1: {
        auto made = packet<control::SetGate>(Kind::set_gate);
        made.open = static_cast<std::uint32_t>(below(2));
        send_packet(made);
        break;
      }
      case 2:
        subscribe();
        break;
      default:
        open_outbox();
    }
  }
}

// Connections that say nothing, or half of something.
void Intruder::crowd_of_connections() {
  crowd_.clear();
  for (std::uint64_t left = below(64); left > 0; --left) {
    try {
      crowd_.push_back(shm::connect_control(path_, std::chrono::milliseconds(1)));
    } catch (const Error&) {
      return;
    }
    if (!one_in(4)) continue;
    const auto bytes = some_packet();
    (void)shm::send_packet(crowd_.back().get(), bytes);
  }
}

}  // namespace fairlead::hostile_processes
