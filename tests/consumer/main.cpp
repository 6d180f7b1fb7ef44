// Proves that the installed tree is usable: headers are found, libraries link, the program runs.
#include <cstdio>

#include <fairlead/broker/pattern_set.hpp>
#include <fairlead/shm/topic.hpp>

int main() {
  const fairlead::broker::PatternSet allowed({"agent.*"});
  const bool works = fairlead::shm::matches("agent.*", "agent.scout") &&
                     allowed.allows("agent.scout") && !allowed.allows("audit.log");
  std::puts(works ? "consumer: runs" : "consumer: wrong answer");
  return works ? 0 : 1;
}
