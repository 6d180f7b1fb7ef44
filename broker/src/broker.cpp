#include <fairlead/broker/broker.hpp>

#include <unistd.h>

#include <cstdlib>
#include <thread>

#include <fairlead/broker/policy.hpp>
#include <fairlead/shm/principal.hpp>
#include <fairlead/shm/segment_name.hpp>
#include <fairlead/shm/topic.hpp>

#include "attach/attach_server.hpp"
#include "policy/refusals.hpp"
#include "state/adoption.hpp"
#include "state/broker_state.hpp"
#include "state/host_publish.hpp"
#include "state/loan_content.hpp"

namespace fairlead::broker {
namespace {

Policy load_policy(const std::filesystem::path& path) {
  return path.empty() ? Policy::without_file(::geteuid()) : Policy::load(path, ::geteuid());
}

std::string policy_text(const std::filesystem::path& path) {
  return path.empty() ? "no policy file: only its own user may attach" : "policy " + path.string();
}

BrokerOptions checked(BrokerOptions options) {
  if (shm::is_valid_broker_name(options.name)) return options;
  throw Error(ErrorCode::invalid_argument,
              "'" + options.name + "' cannot name a broker: use 1 to " +
                  std::to_string(shm::kMaximumBrokerNameBytes) + " bytes of [A-Za-z0-9_-]");
}

std::string checked_principal(std::string_view written) {
  const std::string_view name = shm::canonical_principal(written);
  const shm::PrincipalProblem problem = shm::check_principal(name);
  if (problem == shm::PrincipalProblem::none) return std::string(name);
  throw Error(ErrorCode::invalid_principal, refusals::bad_principal(name, problem));
}

}  // namespace

std::string default_socket_path(std::string_view broker_name) {
  // Read once at start-up, before there are threads that could change it.
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");  // NOLINT(concurrency-mt-unsafe)
  const std::string directory =
      runtime != nullptr && runtime[0] == '/' ? std::string(runtime) : std::string("/run");
  return directory + "/fairlead/" + std::string(broker_name) + ".sock";
}

class Broker::Content {
 public:
  explicit Content(BrokerOptions options)
      : state(make_state(checked(std::move(options)))), server(make_server(*state)) {
    state->wake_service = [this] { server->wake(); };
    Adoption(*state).run();
    adopted_ = !state->guests.empty();
    const TableLegacy& legacy = state->table.legacy();
    std::string message =
        "broker " + state->options.name + " has epoch " + std::to_string(state->table.epoch());
    if (legacy.found || state->table.swept() > 0)
      message += "; it follows one that died or handed over and removed " +
                 std::to_string(state->table.swept()) +
                 (state->table.swept() == 1 ? " segment" : " segments") +
                 std::string(" that it left");
    if (legacy.found && !legacy.same_layout)
      message += "; its table was of another release or half made: numbers go on";
    state->log.add(LogLevel::info, std::move(message));
    const std::string& path = state->options.socket_path;
    state->log.add(LogLevel::info,
                   (path.empty() ? "it has no socket, " : "it listens on " + path + ", ") +
                       policy_text(state->options.policy_path));
    if (legacy.replaced)
      state->log.add(LogLevel::warning,
                     "the route table that an earlier broker left cannot be read and was removed: "
                     "sequence and subscription numbers restart at 1");
    state->log.flush();
  }

  // Who never served leaves to the next broker what a dead one left.
  ~Content() { stop(adopted_ && !began_); }
  Content(const Content&) = delete;
  Content& operator=(const Content&) = delete;

  void start() {
    const std::lock_guard lock(life_);
    take_service();
    thread_ = std::thread([this] { server->run(); });
    began_ = true;
  }

  void run() {
    {
      const std::lock_guard lock(life_);
      take_service();
      running_ = began_ = true;
    }
    server->run();
    const std::lock_guard lock(life_);
    running_ = false;
    ended_.notify_all();
  }

  void stop(bool hand_over = false) noexcept {
    std::unique_lock lock(life_);
    if (stopped_) return;
    stopped_ = true;
    {
      // First, so that a publish that waits for room does not see routes end one by one.
      const std::lock_guard state_lock(state->mutex);
      state->stopped = true;
      state->room.notify_all();
    }
    server->request_stop(hand_over);
    if (thread_.joinable()) thread_.join();
    ended_.wait(lock, [this] { return !running_; });
    // Connections that were never served; closes the listening socket, too.
    std::unique_ptr<AttachServer> ending;
    std::vector<Remains> remains;
    {
      const std::lock_guard state_lock(state->mutex);
      state->wake_service = nullptr;
      ending = std::move(server);
    }
    ending.reset();
    {
      const std::lock_guard state_lock(state->mutex);
      remains = hand_over ? state->leave_everything() : state->end_everything();
      for (Remains& each : remains) each.charges.clear();
    }
    remains.clear();
    state->log.add(LogLevel::info, "broker " + state->options.name +
                                       (hand_over ? " has handed over to the next one of its name"
                                                  : " has stopped"));
    state->log.flush();
  }

  /// With the state's mutex held: the server, unless it has gone.
  [[nodiscard]] AttachServer& live_server() const {
    if (!server) throw Error(ErrorCode::disconnected, "the broker was stopped");
    return *server;
  }

  std::shared_ptr<BrokerState> state;    // loans keep it as well
  std::unique_ptr<AttachServer> server;  // guarded by the state's mutex once it may be stopped

 private:
  static std::shared_ptr<BrokerState> make_state(BrokerOptions options) {
    Policy policy = load_policy(options.policy_path);
    return std::make_shared<BrokerState>(std::move(options), std::move(policy));
  }

  // The table is there by now. It goes again if the socket cannot be had.
  static std::unique_ptr<AttachServer> make_server(BrokerState& state) {
    try {
      return std::make_unique<AttachServer>(state);
    } catch (...) {
      // What a dead broker left stays for one that gets the socket.
      if (state.table.take_adopted().empty()) state.table.remove();
      throw;
    }
  }

  void take_service() {
    if (served_ || stopped_)
      throw Error(ErrorCode::invalid_argument, "a broker can be started only once");
    served_ = true;
  }

  std::mutex life_;
  std::condition_variable ended_;
  std::thread thread_;
  bool served_ = false;
  bool running_ = false;
  bool adopted_ = false;
  bool began_ = false;
  bool stopped_ = false;
};

Broker::Broker(BrokerOptions options) : content_(std::make_unique<Content>(std::move(options))) {}
Broker::~Broker() = default;

void Broker::start() { content_->start(); }
void Broker::run() { content_->run(); }
void Broker::stop() noexcept { content_->stop(); }
void Broker::hand_over() noexcept { content_->stop(true); }

PublishReport Broker::publish(std::string_view principal, std::string_view topic,
                              std::span<const std::byte> payload, PublishOptions options) noexcept {
  return publish_by_host(*content_->state, shm::canonical_principal(principal), topic, payload,
                         options);
}

Loan Broker::loan(std::string_view principal, std::string_view topic, std::uint64_t bytes) {
  std::string name = checked_principal(principal);
  if (const auto problem = shm::check_topic(topic); problem != shm::TopicProblem::none)
    throw Error(ErrorCode::invalid_topic, refusals::bad_topic(topic, problem));
  if (bytes > shm::kMaximumInlinePayloadBytes)
    throw Error(ErrorCode::limit, refusals::payload_too_large(bytes));
  auto content =
      std::make_unique<Loan::Content>(content_->state, std::move(name), std::string(topic));
  bool in_place = false;
  {
    const std::lock_guard lock(content_->state->mutex);
    if (content_->state->stopped) throw Error(ErrorCode::disconnected, "the broker was stopped");
    in_place = content->reserve(bytes);
  }
  if (!in_place) content->use_buffer(bytes);
  return Loan(std::move(content));
}

shm::UniqueFd Broker::connect(std::string_view principal) {
  std::string name = checked_principal(principal);
  auto [ours, guests] = shm::control_pair();
  shm::request_credentials(ours.get());
  shm::refuse_descriptors(ours.get());
  const std::lock_guard lock(content_->state->mutex);
  if (!content_->state->policy->rule_of(name))
    throw Error(ErrorCode::denied, refusals::unknown_principal(name));
  content_->live_server().hand_in(std::move(ours), std::move(name));
  return std::move(guests);
}

void Broker::open_gate(std::uint64_t guest) {
  const std::lock_guard lock(content_->state->mutex);
  Guest* found = content_->state->find_guest(guest);
  if (found == nullptr)
    throw Error(ErrorCode::not_found, "there is no guest " + std::to_string(guest));
  content_->state->set_gate(*found, true);
}

void Broker::retire_gate(std::uint64_t guest) {
  const std::lock_guard lock(content_->state->mutex);
  Guest* found = content_->state->find_guest(guest);
  if (found == nullptr)
    throw Error(ErrorCode::not_found, "there is no guest " + std::to_string(guest));
  content_->state->set_gate(*found, false);
}

void Broker::reload_policy() {
  BrokerState& state = *content_->state;
  Policy replacement = load_policy(state.options.policy_path);  // throws: the old one stays
  {
    const std::lock_guard lock(state.mutex);
    state.replace_policy(std::move(replacement));
  }
  state.log.add(LogLevel::info, "the policy was reloaded");
  state.log.flush();
}

BrokerStatistics Broker::statistics() const {
  const std::lock_guard lock(content_->state->mutex);
  return content_->state->statistics();
}

std::uint64_t Broker::epoch() const noexcept { return content_->state->table.epoch(); }

const std::string& Broker::socket_path() const noexcept {
  return content_->state->options.socket_path;
}

}  // namespace fairlead::broker
