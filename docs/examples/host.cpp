// Publishes each line of its input to all guests: host <broker name> <socket path>
#include <cstdio>
#include <iostream>
#include <string>

#include <fairlead/broker/broker.hpp>

int main(int count, char** arguments) {
  if (count != 3) return 2;
  fairlead::broker::BrokerOptions options;
  options.name = arguments[1];
  options.socket_path = arguments[2];
  fairlead::broker::Broker broker(options);
  broker.start();
  for (std::string line; std::getline(std::cin, line);) {
    const auto report = broker.publish("alice", "chat.line", line);
    std::printf("%u of %u routes took it\n", report.taken, report.matched);
    std::fflush(stdout);
  }
}
