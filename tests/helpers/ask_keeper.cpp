// A guest that asks its keeper for a new connection by hand, as the library does after a restart of
// the broker: attaches, says so, waits for a line on its input, asks until it is connected,
// attaches over that, and says as whom. With "flood" it asks without end and says when it has lost
// its keeper.
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string_view>
#include <utility>

#include <fairlead/guest/guest.hpp>
#include <fairlead/shm/control_socket.hpp>

namespace {

using namespace fairlead;
using shm::ReceiveOutcome;

constexpr std::array<std::byte, 1> kConnectMe{std::byte{1}};

void say(const char* text) {
  std::puts(text);
  std::fflush(stdout);
}

shm::UniqueFd ask(int keeper) {
  for (;;) {
    if (shm::send_packet(keeper, kConnectMe) != shm::SendOutcome::sent) return {};
    std::array<std::byte, 1> word{};
    auto received =
        shm::receive_packet_until(keeper, word, 1, std::chrono::steady_clock::time_point::max());
    if (received.outcome != ReceiveOutcome::received) return {};
    if (word[0] == std::byte{1} && received.descriptors.size() == 1) {
      return std::move(received.descriptors.front());
    }
    (void)shm::wait_for_events(keeper, POLLIN,
                               std::chrono::steady_clock::now() + std::chrono::milliseconds(50));
  }
}

int flood(int keeper) {
  for (;;) {
    const auto sent = shm::send_packet(keeper, kConnectMe);
    if (sent != shm::SendOutcome::sent && sent != shm::SendOutcome::full) break;
  }
  say("lost my keeper");
  char line = 0;
  (void)!::read(STDIN_FILENO, &line, 1);
  return 0;
}

int come_back(int keeper) {
  guest::AttachOptions first;
  (void)guest::Guest::attach(std::move(first));
  say("attached");
  char line = 0;
  if (::read(STDIN_FILENO, &line, 1) != 1) return 1;
  guest::AttachOptions again;
  again.descriptor = ask(keeper);
  const guest::Guest guest = guest::Guest::attach(std::move(again));
  std::printf("back as %s in epoch %llu\n", guest.welcome().principal.c_str(),
              static_cast<unsigned long long>(guest.welcome().epoch));
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  const char* number = std::getenv("FAIRLEAD_KEEPER_FD");
  if (number == nullptr) return 2;
  const int keeper = std::atoi(number);
  try {
    return count > 1 && std::string_view(arguments[1]) == "flood" ? flood(keeper)
                                                                  : come_back(keeper);
  } catch (const Error& error) {
    std::fprintf(stderr, "ask_keeper: %s\n", error.what());
    return 3;
  }
}
