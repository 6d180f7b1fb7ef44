#include "dump/sealed_segments.hpp"

#include <fcntl.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <optional>
#include <span>

#include <fairlead/shm/control_protocol.hpp>
#include <fairlead/shm/control_socket.hpp>
#include <fairlead/shm/error.hpp>

namespace fairlead::tools::dump {
namespace {

namespace control = shm::control;
using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kRequest = 1;
constexpr auto kAnswerTime = std::chrono::seconds(2);
// Whoever sends more never stops.
constexpr std::size_t kMostSegments = 1'000'000;

bool is_sealed(int descriptor) noexcept {
  const int seals = ::fcntl(descriptor, F_GET_SEALS);
  return seals >= 0 && (seals & F_SEAL_SHRINK) != 0;
}

template <class Packet>
std::optional<Packet> as(std::span<const std::byte> bytes) noexcept {
  if (bytes.size() != sizeof(Packet)) return std::nullopt;
  Packet packet;
  std::memcpy(&packet, bytes.data(), sizeof packet);
  return packet;
}

control::Kind kind_of(std::span<const std::byte> bytes) noexcept {
  control::Header header{};
  if (bytes.size() < sizeof header) return control::Kind::none;
  std::memcpy(&header, bytes.data(), sizeof header);
  return header.kind;
}

bool send(int socket, control::Kind kind) noexcept {
  control::Plain packet{};
  packet.header = {kind, sizeof packet, kRequest};
  return shm::send_packet_until(socket, std::as_bytes(std::span(&packet, 1)), {},
                                Clock::now() + kAnswerTime) == shm::SendOutcome::sent;
}

// Takes the answer apart, packet by packet; each is acknowledged before the next one comes.
class Answer {
 public:
  Answer(int socket, const std::function<void(SealedDescriptor)>& take)
      : socket_(socket), take_(take) {}

  // True: go on.
  bool accept(std::span<const std::byte> bytes, std::vector<shm::UniqueFd> descriptors) {
    switch (kind_of(bytes)) {
      case control::Kind::sealed_segment:
        return accept_segment(as<control::SealedSegment>(bytes), std::move(descriptors));
      case control::Kind::done:
        return false;
      case control::Kind::refused:
        if (const auto refused = as<control::Refused>(bytes)) {
          return stop("its broker refuses: " + std::string(refused->sentence.view()));
        }
        break;
      default:
        break;
    }
    return stop("its broker answered something else");
  }

  bool stop(std::string why) {
    why_ = std::move(why);
    return false;
  }
  [[nodiscard]] const std::string& why() const noexcept { return why_; }

 private:
  bool accept_segment(const std::optional<control::SealedSegment>& packet,
                      std::vector<shm::UniqueFd> descriptors) {
    if (!packet || descriptors.size() != 1 || !is_sealed(descriptors.front().get())) {
      return stop("its broker sent something that is no sealed segment");
    }
    if (++segments_ > kMostSegments) return stop("its broker does not come to an end");
    take_({packet->kind, packet->id, std::move(descriptors.front())});
    return send(socket_, control::Kind::acknowledge) || stop("its broker hung up");
  }

  int socket_;
  const std::function<void(SealedDescriptor)>& take_;
  std::size_t segments_ = 0;
  std::string why_;
};

std::string ask(int socket, const std::function<void(SealedDescriptor)>& take) {
  if (!send(socket, control::Kind::list_sealed)) return "its broker does not listen";
  Answer answer(socket, take);
  std::array<std::byte, control::kMaximumPacketBytes> buffer;
  for (bool more = true; more;) {
    shm::ReceivedPacket packet = shm::receive_packet_until(
        socket, buffer, control::kMaximumDescriptorsPerPacket, Clock::now() + kAnswerTime);
    switch (packet.outcome) {
      case shm::ReceiveOutcome::received:
        more = answer.accept(std::span(buffer).first(packet.bytes), std::move(packet.descriptors));
        break;
      case shm::ReceiveOutcome::nothing:
        more = answer.stop("its broker does not answer");
        break;
      default:
        more = answer.stop("its broker hung up");
        break;
    }
  }
  return answer.why();
}

}  // namespace

std::string list_sealed_segments(const std::string& socket_path, uid_t owner,
                                 const std::function<void(SealedDescriptor)>& take) {
  if (socket_path.empty()) return "its broker has no socket";
  try {
    const shm::UniqueFd socket = shm::connect_control(socket_path, kAnswerTime);
    // Whoever may write to the socket's directory could listen there now.
    if (shm::peer_credentials(socket.get()).uid != owner) {
      return "somebody else listens on its socket";
    }
    return ask(socket.get(), take);
  } catch (const Error& error) {
    return "its broker cannot be asked: " + std::string(error.what());
  }
}

}  // namespace fairlead::tools::dump
