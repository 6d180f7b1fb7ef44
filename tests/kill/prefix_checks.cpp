#include "prefix_checks.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

#include "next_broker.hpp"
#include "prefix_images.hpp"
#include "prefix_readers.hpp"
#include "rehearsal.hpp"
#include "support/child_process.hpp"
#include "support/program.hpp"
#include "support/test_broker.hpp"

namespace fairlead::killing {
namespace {

// The named files, where a broker looks for them.
void put_into_shared_memory(const PrefixImages& images) {
  for (const auto& file : images.files()) {
    if (!file->named()) continue;
    const int descriptor = ::open(shm::segment_path(file->file_name()).c_str(),
                                  O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    const auto bytes = file->bytes();
    [[maybe_unused]] const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    ::close(descriptor);
  }
}

std::string start_next_broker(const PrefixImages& images, const Place& place) {
  put_into_shared_memory(images);
  test::ChildProcess next([&]() -> std::string {
    std::string complaints;
    serve_with_next_broker(place, 0, [&](const std::string& sentence) { complaints += sentence; });
    return complaints;
  });
  std::string complaints = next.result();
  return complaints += remove_what_is_left(place);
}

// One of a thousand publishes that only fill a route is like the other.
bool inside_many(const Rehearsal& rehearsal, std::size_t events) {
  for (const Act& act : rehearsal.acts) {
    if (act.step.count > 1 && act.begin < events && events < act.end) return true;
  }
  return false;
}

struct Progress {
  std::uint64_t prefixes = 0;
  std::uint64_t next_brokers = 0;
};

std::string check_prefixes(const Rehearsal& rehearsal, const Place& place,
                           const std::string& directory, std::uint32_t stride, Progress& progress) {
  PrefixImages images(*rehearsal.log, directory);
  std::uint32_t since_broker = 0;
  while (images.applied() < rehearsal.log->size()) {
    images.apply_next();
    rehearsal.log->at = images.applied();
    if (inside_many(rehearsal, images.applied())) continue;
    ++progress.prefixes;
    std::string complaints = read_as_guest(images, rehearsal);
    complaints += read_as_adopter(images, rehearsal);
    complaints += read_as_dump(directory, place.broker);
    if (complaints.empty() && (images.table_changed() || ++since_broker == stride)) {
      since_broker = 0;
      ++progress.next_brokers;
      complaints = start_next_broker(images, place);
    }
    if (!complaints.empty()) return complaints;
  }
  return "";
}

}  // namespace

EveryPrefix check_every_prefix(const Scenario& scenario, std::uint32_t stride) {
  const test::ScratchDirectory scratch;
  const Place place{test::unique_broker_name(), scratch.path_of("broker.sock")};
  EveryPrefix result;
  const Rehearsal rehearsal = rehearse(scenario, place);
  if (!rehearsal.complaints.empty()) {
    result.complaints = scenario.name + " in rehearsal: " + rehearsal.complaints;
    return result;
  }
  const std::string directory = scratch.path_of("segments");
  ::mkdir(directory.c_str(), 0700);
  test::ChildProcess reader([&]() -> std::string {
    Progress progress;
    const std::string complaints = check_prefixes(rehearsal, place, directory, stride, progress);
    if (!complaints.empty()) return complaints;
    return "ok " + std::to_string(progress.prefixes) + ' ' + std::to_string(progress.next_brokers);
  });
  const std::string answer = reader.result();
  unsigned long prefixes = 0;
  unsigned long next_brokers = 0;
  if (std::sscanf(answer.c_str(), "ok %lu %lu", &prefixes, &next_brokers) == 2) {
    result.prefixes = prefixes;
    result.next_brokers = next_brokers;
  } else {
    result.complaints = scenario.name + ", after " + std::to_string(rehearsal.log->at) + " of " +
                        std::to_string(rehearsal.log->size()) + " events: " + answer;
  }
  remove_what_is_left(place);
  return result;
}

}  // namespace fairlead::killing
