#include "puppet.hpp"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <stdexcept>

#include <fairlead/shm/error.hpp>

#include "call_tracer.hpp"
#include "store_log.hpp"
#include "store_tracer.hpp"
#include "support/child_process.hpp"

namespace fairlead::killing {
namespace {

constexpr int kPatienceMilliseconds = 30'000;

// What a frame begins with.
constexpr std::uint64_t kPerform = 1;
constexpr std::uint64_t kArm = 2;
constexpr std::uint64_t kDisarm = 3;
constexpr std::uint64_t kJoin = 4;

std::atomic<std::uint64_t>* shared_counter() {
  void* page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) throw_system("mmap");
  return new (page) std::atomic<std::uint64_t>(0);
}

std::string frame_of(std::uint64_t what) { return test::FrameWriter().number(what).frame(); }

guest::SharedRoute route_of(test::FrameReader& reader, std::vector<shm::UniqueFd>& descriptors) {
  guest::SharedRoute shared;
  shared.route_segment_bytes = reader.number();
  shared.cursor_segment_bytes = reader.number();
  shared.subscription = reader.number();
  shared.lane_capacity = static_cast<std::uint32_t>(reader.number());
  shared.hold_slots = static_cast<std::uint32_t>(reader.number());
  shared.sealed = reader.number() != 0;
  shared.route = std::move(descriptors.at(0));
  shared.cursors = std::move(descriptors.at(1));
  shared.connection = std::move(descriptors.at(2));
  return shared;
}

}  // namespace

const char* to_string(PointKind kind) noexcept {
  return kind == PointKind::stores ? "stores" : "calls";
}

Puppet::Puppet(const Place& place, PointKind kind, std::uint64_t kill_at, StoreLog* log)
    : kind_(kind),
      kill_at_(kill_at),
      log_(log),
      points_(shared_counter()),
      channel_(shm::UniqueFd()) {
  auto ends = test::Channel::make_pair();
  channel_ = std::move(ends.first);
  test::Channel& its = ends.second;
  child_ = ::fork();
  if (child_ < 0) throw_system("fork");
  if (child_ > 0) {
    its.close();
    performer_ = static_cast<pid_t>(
        test::FrameReader(channel_.receive(kPatienceMilliseconds).frame).number());
    return;
  }
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  channel_.close();
  if (kind_ == PointKind::stores) {
    serve(place, std::move(its));
  } else {
    call_tracer::run([&, this] { serve(place, std::move(its)); }, *points_, kill_at_);
  }
  ::_exit(0);
}

Puppet::~Puppet() {
  finish();
  ::munmap(points_, 4096);
}

// ---- in the child -------------------------------------------------------------------------------

void Puppet::serve(const Place& place, test::Channel channel) {
  BrokerActor broker(place);
  GuestActor guest(place);
  channel.send(frame_of(static_cast<std::uint64_t>(::getpid())));
  try {
    for (;;) {
      test::Channel::Received received = channel.receive(-1);
      test::FrameReader reader(received.frame);
      Reply reply;
      switch (reader.number()) {
        case kArm:
          if (kind_ == PointKind::stores) {
            store_tracer::arm(*points_, kill_at_, log_);
          } else {
            call_tracer::arm();
          }
          break;
        case kDisarm:
          if (kind_ == PointKind::stores) {
            store_tracer::disarm();
          } else {
            call_tracer::disarm();
          }
          break;
        case kJoin:
          guest.join(route_of(reader, received.descriptors));
          break;
        default: {
          const Step step = Step::from_frame(reader.text());
          reply = step.actor == Actor::broker ? broker.perform(step) : guest.perform(step);
        }
      }
      channel.send(reply.frame());
    }
  } catch (const std::exception&) {
    ::_exit(0);  // nobody tells us anything any more
  }
}

// ---- outside ------------------------------------------------------------------------------------

Reply Puppet::ask(const std::string& frame, const std::vector<int>& descriptors) {
  Reply reply;
  if (alive_) {
    try {
      channel_.send(frame, descriptors);
      reply = Reply::from_frame(channel_.receive(kPatienceMilliseconds).frame);
      return reply;
    } catch (const std::runtime_error&) {
      alive_ = false;
    }
  }
  reply.alive = false;
  return reply;
}

Reply Puppet::perform(const Step& step) {
  return ask(test::FrameWriter().number(kPerform).text(step.frame()).frame());
}

void Puppet::join(const guest::SharedRoute& shared) {
  const std::string frame = test::FrameWriter()
                                .number(kJoin)
                                .number(shared.route_segment_bytes)
                                .number(shared.cursor_segment_bytes)
                                .number(shared.subscription)
                                .number(shared.lane_capacity)
                                .number(shared.hold_slots)
                                .number(shared.sealed ? 1 : 0)
                                .frame();
  (void)ask(frame, {shared.route.get(), shared.cursors.get(), shared.connection.get()});
}

void Puppet::arm() { (void)ask(frame_of(kArm)); }
bool Puppet::disarm() { return ask(frame_of(kDisarm)).alive; }

bool Puppet::died() {
  if (child_ > 0 && ::waitpid(child_, nullptr, WNOHANG) == child_) child_ = -1;
  return child_ <= 0;
}

void Puppet::finish() {
  if (child_ <= 0) return;
  test::send_signal(performer_, SIGKILL);
  if (child_ != performer_ && performer_ <= 0) test::send_signal(child_, SIGKILL);
  ::waitpid(child_, nullptr, 0);
  child_ = -1;
  alive_ = false;
}

}  // namespace fairlead::killing
