// Prints what is published below "chat" until the broker ends: guest <socket path>
#include <iostream>

#include <fairlead/guest/guest.hpp>

int main(int count, char** arguments) {
  if (count != 2) return 2;
  using namespace fairlead::guest;
  Guest guest = Guest::attach({.socket_path = arguments[1]});
  Subscription route = guest.subscribe("chat.*", {.budget_bytes = 1 << 20});
  for (;;) {
    const Batch batch = route.drain();  // read where they lie, given back at the brace
    for (const Message& message : batch) {
      std::cout << message.principal() << ": " << message.text() << std::endl;
    }
    if (batch.outcome() == DrainOutcome::messages) continue;
    if (batch.outcome() != DrainOutcome::empty) return 0;  // closed: the broker has ended
    (void)route.wait();
  }
}
