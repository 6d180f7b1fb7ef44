// Drains the route that its one argument describes (SharedRoute): exit 0 when it held one message
// with the text "hello".
#include <cstdio>

#include <fairlead/guest/subscription.hpp>

int main(int count, char** arguments) {
  using namespace fairlead;
  if (count != 2) return 2;
  try {
    auto route = guest::Subscription::from_descriptors(guest::SharedRoute::from_text(arguments[1]));
    const guest::Batch batch = route.drain();
    return batch.size() == 1 && batch.front().text() == "hello" ? 0 : 1;
  } catch (const Error& error) {
    std::fprintf(stderr, "drain_shared_route: %s\n", error.what());
    return 3;
  }
}
