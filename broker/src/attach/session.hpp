// One connection of a guest (or of a keeper before it, or of the dump tool): what it may say when,
// and what it gets for it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <fairlead/shm/control_protocol.hpp>
#include <fairlead/shm/control_socket.hpp>

#include "state/broker_state.hpp"

namespace fairlead::broker {

// Why a connection ends. All but the first two are the guest's fault and are counted.
enum class Farewell : std::uint8_t {
  hang_up,    // the peer left
  stopping,   // we leave, or the policy took the guest's right to be here
  refused,    // hello or mint was refused
  violation,  // it sent what the protocol does not allow, or wrote nonsense into its outbox
  unread,     // it does not read its socket
  expired,    // it did not go on in time
};

// Belongs to the service thread. Takes the broker's mutex where it touches the state, never while
// it sends, creates segments or looks a peer up.
class Session {
 public:
  enum class Stage : std::uint8_t {
    fresh,   // nothing said yet
    minted,  // a principal is pinned, the guest has not said hello
    attached,
    leaving,  // over() is true
  };

  /// Ends whatever session speaks for that guest, which is not the caller.
  using EndSession = std::function<void(GuestId)>;

  /// `pinned_by_host`: the embedding host made this connection for that (canonical) principal.
  Session(BrokerState& state, shm::UniqueFd socket, const shm::PeerCredentials& connector,
          std::optional<std::string> pinned_by_host, EndSession end_session_of);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// Takes packets that have arrived, a bounded number of them. Call it again while the socket is
  /// readable.
  void on_readable();

  /// A request waits until descriptors that are on their way to guests have arrived: call retry()
  /// after every turn of the loop.
  [[nodiscard]] bool deferred() const noexcept { return !deferred_.empty() || listing_; }
  void retry();
  /// Requests are left after retry() because it had done enough, not because there is no room.
  [[nodiscard]] bool stopped_early() const noexcept { return costly_ && !deferred_.empty(); }

  /// Ends a route of this guest without its asking, tells it and the log why.
  void end_route(std::uint64_t subscription, shm::RouteState state, shm::Refusal reason,
                 std::string_view sentence);

  /// As the last thing before leave(), which does so itself for what the guest did: the guest reads
  /// why. Best effort; nobody waits for one that does not read.
  void tell_why(ErrorCode code, std::string_view sentence) noexcept;
  /// Ends the connection: `sentence` goes to the log.
  void leave(Farewell farewell, std::string_view sentence);
  [[nodiscard]] bool over() const noexcept { return stage_ == Stage::leaving; }
  /// Takes guest, routes and outbox out of the broker; once, when over(). Keep what comes back
  /// until no lock is held.
  [[nodiscard]] std::vector<Remains> take_down();
  /// The broker ends for good: tells the guest, if it listens.
  void say_farewell() noexcept;

  /// CLOCK_MONOTONIC nanoseconds at which the session must have gone on; nothing: no deadline.
  [[nodiscard]] std::optional<std::uint64_t> deadline() const noexcept;
  [[nodiscard]] int descriptor() const noexcept { return socket_.get(); }
  [[nodiscard]] Stage stage() const noexcept { return stage_; }
  [[nodiscard]] GuestId guest() const noexcept { return guest_; }
  [[nodiscard]] const shm::PeerCredentials& connector() const noexcept { return connector_; }
  /// A pidfd of the guest's process, taken when it said hello; may be invalid.
  [[nodiscard]] shm::UniqueFd take_process() noexcept { return std::move(process_); }
  /// Waits for its hello without anybody having vouched for it.
  [[nodiscard]] bool unknown() const noexcept { return stage_ == Stage::fresh && !pinned_; }

 private:
  using Header = shm::control::Header;
  struct Unacknowledged {
    std::uint64_t request;
    std::uint64_t descriptors;
    std::uint64_t deadline;
    QuotaCharge charge;  // of a guest's; given back under the mutex only
  };
  struct ListedSegment {  // to be shown to the dump tool
    shm::SegmentKind kind;
    std::uint64_t owner;         // route id or guest id
    std::uint64_t subscription;  // of a route: ids are reused, this is not
  };
  enum class Sent : std::uint8_t { yes, no, too_many_descriptors };

  // session.cpp: packets in and out
  void handle(std::span<const std::byte> packet, const std::optional<shm::PeerCredentials>& sender);
  void handle_attached(const Header& header, std::span<const std::byte> packet);
  void handle_request(const Header& header, std::span<const std::byte> packet);
  void answer_request(const Header& header, std::span<const std::byte> packet);
  template <class Packet>
  void dispatch(std::span<const std::byte> packet, void (Session::*handler)(const Packet&));
  void violate(std::string_view what);
  void read_the_rest() noexcept;
  Sent send(std::span<const std::byte> packet, std::span<const int> descriptors = {});
  Sent send_with(std::span<const std::byte> packet, std::uint64_t request,
                 std::initializer_list<int> descriptors);
  void answer_done(std::uint64_t request);
  void refuse(std::uint64_t request, ErrorCode code, std::string_view sentence);
  [[nodiscard]] bool find_room(shm::control::Kind kind);
  void defer(std::span<const std::byte> packet);
  void on_acknowledge(const shm::control::Plain& packet);
  void log(LogLevel level, std::string_view message, const shm::RouteIdentity* route = nullptr);

  // session_attach.cpp
  void on_mint(const shm::control::Mint& packet);
  void on_hello(const shm::control::Hello& packet,
                const std::optional<shm::PeerCredentials>& sender);
  void refuse_attach(std::uint64_t request, ErrorCode code, std::string_view sentence);
  [[nodiscard]] bool check_connector(std::uint64_t request);
  [[nodiscard]] bool check_hello(const shm::control::Hello& packet);
  [[nodiscard]] AttachDecision decide(std::string_view requested) const;
  [[nodiscard]] bool take_attach_rate(std::uint64_t request, const AttachDecision& decision);
  [[nodiscard]] bool charge_attach(std::uint64_t request, const AttachDecision& decision);
  enum class Return : std::uint8_t { none, resumes, resumes_once_more, too_late };
  [[nodiscard]] Return claims_token(const shm::control::Hello& packet,
                                    const AttachDecision& decision);
  void enter(std::unique_ptr<Guest> guest, const ResumeToken& token);
  void welcome(std::uint64_t request, const Guest& guest, bool resumed);

  // session_subscribe.cpp
  void on_subscribe(const shm::control::Subscribe& packet);
  void on_unsubscribe(const shm::control::Unsubscribe& packet);
  void on_set_gate(const shm::control::SetGate& packet);
  [[nodiscard]] shm::Backing choose_backing(const Guest& guest,
                                            shm::control::BackingWish wish) const;
  struct RoutePlan;
  [[nodiscard]] bool plan_route(const shm::control::Subscribe& packet, RoutePlan& plan);
  void make_route(const shm::control::Subscribe& packet, RoutePlan& plan);
  void send_subscribed(const shm::control::Subscribe& packet, const RoutePlan& plan,
                       const NewRoute& made, RouteId id);

  // session_outbox.cpp
  void on_open_outbox(const shm::control::OpenOutbox& packet);
  void on_kick(const shm::control::Plain& packet);
  void wake_outbox();
  struct OutboxPlan {
    OutboxOwner owner;
    shm::Backing backing = shm::Backing::named;
    shm::RouteIdentity identity{};
    std::uint64_t ring_bytes = 0;
    std::uint64_t first_number = 1;
    bool resumed = false;
    QuotaCharge charge;  // given back under the mutex only
  };
  [[nodiscard]] bool plan_outbox(const shm::control::OpenOutbox& packet, OutboxPlan& plan);
  void describe_outbox(const Guest& guest, std::uint64_t id, OutboxPlan& plan) const;
  void open_planned(std::uint64_t request, OutboxPlan& plan);
  void make_outbox(std::uint64_t request, OutboxPlan& plan);

  // session_resume.cpp
  void on_pushed_before(const shm::control::PushedBefore& packet);
  void on_resume_route(const shm::control::ResumeRoute& packet);
  [[nodiscard]] bool plan_offer(const shm::control::ResumeRoute& packet, OfferedRoute& offered);
  void offer(const shm::control::ResumeRoute& packet, OfferedRoute&& offered);
  void claim_offered(std::uint64_t request);
  void on_resume_outbox(const shm::control::ResumeOutbox& packet);
  [[nodiscard]] bool plan_resumed_outbox(const shm::control::ResumeOutbox& packet,
                                         OutboxPlan& plan);

  // session_list.cpp
  void on_list_sealed(const shm::control::Plain& packet);
  void send_listed();
  [[nodiscard]] bool send_one_listed(const ListedSegment& listed);

  BrokerState& state_;
  const EndSession end_session_of_;
  shm::UniqueFd socket_;
  shm::PeerCredentials connector_;
  shm::UniqueFd connector_process_;  // a pidfd, until the hello
  std::optional<std::string> pinned_;
  bool by_host_;
  Stage stage_ = Stage::fresh;
  GuestId guest_ = 0;
  std::uint64_t connection_ = 0;  // number of this session, in the order of acceptance
  std::optional<std::uint64_t>
      outbox_request_;     // whose acknowledgement says that it has its outbox
  std::string principal_;  // once known, for the log
  shm::UniqueFd process_;
  QuotaCharge attach_charge_;
  std::uint64_t opened_nanoseconds_;
  std::uint64_t attach_deadline_nanoseconds_;
  std::deque<Unacknowledged> unacknowledged_;
  std::map<std::uint64_t, OfferedRoute> offers_;  // by request, until acknowledged
  std::uint64_t in_flight_ = 0;                   // descriptors in unacknowledged_
  QuotaCharge room_;                              // for those of the request that is being handled
  std::deque<ListedSegment> listed_;
  std::uint64_t list_request_ = 0;
  bool listing_ = false;
  bool thrown_out_ = false;
  bool costly_ = false;  // this turn did something that takes a while
  std::array<std::byte, shm::control::kMaximumPacketBytes> buffer_{};
  std::deque<std::vector<std::byte>> deferred_;  // requests, in order
};

}  // namespace fairlead::broker
