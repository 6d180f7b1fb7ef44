#include "support/process_driver.hpp"

#include <stdexcept>
#include <unordered_map>
#include <utility>

#include "support/channel.hpp"
#include "support/child_process.hpp"
#include "support/route_segments.hpp"

namespace fairlead::test {
namespace {

constexpr int kPatienceMilliseconds = 60'000;
constexpr std::uint64_t kNoHold = ~std::uint64_t{0};

// Every command is this number, the route's, and two arguments; every command has one answer.
enum class Command : std::uint64_t {
  attach,
  detach,
  drain,
  look,
  release,
  hold,
  look_held,
  release_hold,
};

void write_message(FrameWriter& out, const TakenMessage& message) {
  out.text(message.principal).text(message.topic).text(message.payload);
  out.number(message.sequence).number(message.published_nanoseconds);
  out.number(message.publisher).number(message.publish_number);
  out.number(message.lost_messages).number(message.lost_bytes);
}

TakenMessage read_message(FrameReader& in) {
  TakenMessage message;
  message.principal = in.text();
  message.topic = in.text();
  message.payload = in.text();
  message.sequence = in.number();
  message.published_nanoseconds = in.number();
  message.publisher = in.number();
  message.publish_number = in.number();
  message.lost_messages = in.number();
  message.lost_bytes = in.number();
  return message;
}

void write_messages(FrameWriter& out, const std::vector<TakenMessage>& messages) {
  out.number(messages.size());
  for (const TakenMessage& message : messages) write_message(out, message);
}

std::vector<TakenMessage> read_messages(FrameReader& in) {
  std::vector<TakenMessage> messages(in.number());
  for (TakenMessage& message : messages) message = read_message(in);
  return messages;
}

// ---- the child
// -----------------------------------------------------------------------------------

class Servant {
 public:
  explicit Servant(Channel channel) : channel_(std::move(channel)) {}

  std::string run() {
    for (;;) {
      Channel::Received received = channel_.receive(-1);
      FrameReader in(std::move(received.frame));
      const auto command = static_cast<Command>(in.number());
      const std::uint64_t route = in.number();
      const std::uint64_t first = in.number();
      const auto second = in.number();
      FrameWriter out;
      if (command == Command::attach) {
        attach(route, first, second, std::move(received.descriptors));
      } else {
        serve(command, route, first, second, out);
      }
      channel_.send(out.frame());
    }
  }

 private:
  struct Served {
    MappedForGuest mapped;
    std::unique_ptr<LocalGuestEnd> guest;
  };

  void attach(std::uint64_t route, std::uint64_t bytes, std::uint64_t lanes,
              std::vector<shm::UniqueFd> descriptors) {
    if (descriptors.size() != 2) throw std::runtime_error("expected two descriptors");
    Served& served = routes_[route];
    served.mapped = map_for_guest({std::move(descriptors[0]), std::move(descriptors[1])}, bytes);
    served.guest =
        std::make_unique<LocalGuestEnd>(served.mapped.route.bytes(), served.mapped.cursors.bytes(),
                                        static_cast<std::uint32_t>(lanes));
  }

  void serve(Command command, std::uint64_t route, std::uint64_t first, std::uint64_t second,
             FrameWriter& out) {
    GuestEnd& guest = *routes_.at(route).guest;
    const auto number = static_cast<std::uint32_t>(first);
    switch (command) {
      case Command::attach:
        break;
      case Command::detach:
        routes_.erase(route);
        break;
      case Command::drain: {
        const DrainResult result = guest.drain(first, second);
        out.number(static_cast<std::uint64_t>(result.outcome)).number(result.batch);
        out.number(result.ended.messages).number(result.ended.bytes);
        out.number(result.ended.last_sequence);
        out.number(static_cast<std::uint64_t>(result.ended.reason));
        write_messages(out, result.messages);
        break;
      }
      case Command::look:
        write_messages(out, guest.look(number));
        break;
      case Command::release:
        guest.release(number);
        break;
      case Command::hold: {
        const auto hold = guest.hold(number, static_cast<std::uint32_t>(second));
        out.number(hold ? *hold : kNoHold);
        break;
      }
      case Command::look_held:
        write_message(out, guest.look_held(number));
        break;
      case Command::release_hold:
        guest.release_hold(number);
        break;
    }
  }

  Channel channel_;
  std::unordered_map<std::uint64_t, Served> routes_;
};

// ---- the parent
// ----------------------------------------------------------------------------------

class Master {
 public:
  explicit Master(std::pair<Channel, Channel> ends)
      : channel_(std::move(ends.first)), child_([this, &ends] {
          channel_.close();
          return Servant(std::move(ends.second)).run();
        }) {}

  FrameReader ask(Command command, std::uint64_t route, std::uint64_t first = 0,
                  std::uint64_t second = 0, const std::vector<int>& descriptors = {}) {
    FrameWriter out;
    out.number(static_cast<std::uint64_t>(command)).number(route).number(first).number(second);
    channel_.send(out.frame(), descriptors);
    return FrameReader(channel_.receive(kPatienceMilliseconds).frame);
  }
  std::uint64_t new_route() noexcept { return ++routes_; }

 private:
  std::uint64_t routes_ = 0;
  Channel channel_;
  ChildProcess child_;
};

class RemoteGuestEnd final : public GuestEnd {
 public:
  RemoteGuestEnd(Master& master, std::uint64_t route) : master_(master), route_(route) {}

  DrainResult drain(std::uint64_t byte_budget, std::uint64_t most) override {
    FrameReader in = master_.ask(Command::drain, route_, byte_budget, most);
    DrainResult result;
    result.outcome = static_cast<shm::RouteReader::Outcome>(in.number());
    result.batch = static_cast<std::uint32_t>(in.number());
    result.ended.messages = in.number();
    result.ended.bytes = in.number();
    result.ended.last_sequence = in.number();
    result.ended.reason = static_cast<shm::LossReason>(in.number());
    result.messages = read_messages(in);
    return result;
  }
  std::vector<TakenMessage> look(std::uint32_t batch) override {
    FrameReader in = master_.ask(Command::look, route_, batch);
    return read_messages(in);
  }
  void release(std::uint32_t batch) override { (void)master_.ask(Command::release, route_, batch); }
  std::optional<std::uint32_t> hold(std::uint32_t batch, std::uint32_t index) override {
    const std::uint64_t hold = master_.ask(Command::hold, route_, batch, index).number();
    if (hold == kNoHold) return std::nullopt;
    return static_cast<std::uint32_t>(hold);
  }
  TakenMessage look_held(std::uint32_t hold) override {
    FrameReader in = master_.ask(Command::look_held, route_, hold);
    return read_message(in);
  }
  void release_hold(std::uint32_t hold) override {
    (void)master_.ask(Command::release_hold, route_, hold);
  }

 private:
  Master& master_;
  std::uint64_t route_;
};

class RemoteEnds final : public RouteEnds {
 public:
  RemoteEnds(Master& master, const shm::RouteIdentity& identity)
      : master_(master),
        route_(master.new_route()),
        broker_(make_route_segments(identity, shm::Backing::named)),
        guest_(master, route_) {
    const GuestDescriptors descriptors = broker_.for_guest();
    (void)master_.ask(Command::attach, route_, broker_.route.maximum_bytes(),
                      identity.lane_capacity, {descriptors.route.get(), descriptors.cursors.get()});
  }
  ~RemoteEnds() override {
    try {
      (void)master_.ask(Command::detach, route_);
    } catch (const std::exception&) {
      // The child is gone, and its mappings with it.
    }
  }
  shm::GrowableMemory& segment() noexcept override { return broker_.route; }
  std::byte* cursors() noexcept override { return broker_.cursors.data(); }
  GuestEnd& guest() noexcept override { return guest_; }

 private:
  Master& master_;
  std::uint64_t route_;
  RouteSegments broker_;
  RemoteGuestEnd guest_;
};

class ProcessDriver final : public RouteDriver {
 public:
  std::unique_ptr<RouteEnds> attach(const shm::RouteIdentity& identity) override {
    return std::make_unique<RemoteEnds>(master_, identity);
  }

 private:
  Master master_{Channel::make_pair()};
};

}  // namespace

std::unique_ptr<RouteDriver> make_process_driver() { return std::make_unique<ProcessDriver>(); }

}  // namespace fairlead::test
