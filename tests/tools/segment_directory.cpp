#include "segment_directory.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <stdexcept>

#include <fairlead/shm/unique_fd.hpp>

#include "segment_builder.hpp"

namespace fairlead::test {

using namespace tools::dump;

SegmentDirectory::SegmentDirectory() {
  char name[] = "/tmp/fairlead-dump-XXXXXX";
  path_ = ::mkdtemp(name);
}

SegmentDirectory::~SegmentDirectory() { std::filesystem::remove_all(path_); }

void SegmentDirectory::write(const std::string& file, std::string_view bytes, mode_t mode) const {
  const shm::UniqueFd descriptor(::open(path_of(file).c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600));
  const ssize_t written = ::write(descriptor.get(), bytes.data(), bytes.size());
  if (written != static_cast<ssize_t>(bytes.size()) || ::fchmod(descriptor.get(), mode) != 0) {
    throw std::runtime_error("cannot write " + path_of(file));
  }
}

MachineOptions SegmentDirectory::options(ProcessState writer) const {
  MachineOptions options;
  options.directory = path_;
  options.ask_brokers = false;
  options.monotonic_now_ns = RouteBuilder::kNow;
  options.realtime_now_ns = 1'700'000'600'000'000'000;
  options.process = [writer](std::uint32_t, std::uint64_t) { return writer; };
  return options;
}

MachineDump SegmentDirectory::dump(ProcessState writer) const {
  return read_machine(options(writer));
}

SegmentDump SegmentDirectory::only_segment(ProcessState writer) const {
  const MachineDump machine = dump(writer);
  if (machine.brokers.size() != 1) throw std::logic_error("not one broker");
  const BrokerDump& broker = machine.brokers.front();
  if (broker.segments.size() > 1) throw std::logic_error("more than one segment");
  return broker.segments.empty() ? broker.table_segment.value() : broker.segments.front();
}

std::string verdict_text(const SegmentDump& segment) {
  std::string text(to_string(segment.verdict));
  const char* before = ": ";
  for (const std::string& problem : segment.problems) {
    text += before + problem;
    before = " | ";
  }
  return text;
}

}  // namespace fairlead::test
