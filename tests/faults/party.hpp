// Guests that check what they get: one that publishes numbered messages and some that read them.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <fairlead/guest/guest.hpp>

namespace fairlead::test {

/// Numbered messages; the number says how long it is and what is in it.
[[nodiscard]] std::string numbered_payload(int number, std::size_t bytes);

class Party {
 public:
  /// `enough`: there is enough of everything for who comes back after a failure. Else nobody need
  /// come back, and nobody waits for long.
  explicit Party(std::string socket_path, bool enough = true)
      : socket_path_(std::move(socket_path)), enough_(enough) {}

  /// A reader of everything below "news", attached and subscribed.
  void add_reader(const std::string& name, const guest::SubscribeOptions& options);
  /// The publisher.
  void add_writer();
  /// Publishes one message of that size, and looks whether each reader has it.
  void publish(std::size_t bytes);
  /// A guest that comes, does `visit` and goes; `visit` may throw Error.
  void visitor(const std::string& name, const std::function<void(guest::Guest&)>& visit);
  /// Readers unsubscribe, all leave.
  void leave();

  /// Whether the broker ever let somebody in.
  [[nodiscard]] bool welcomed() const noexcept { return welcomed_; }
  [[nodiscard]] const std::set<std::string>& sufferers() const noexcept { return sufferers_; }
  [[nodiscard]] const std::vector<std::string>& problems() const noexcept { return problems_; }

 private:
  struct Reader {
    std::string name;
    guest::SubscribeOptions options;
    std::optional<guest::Guest> guest{};
    std::optional<guest::Subscription> route{};
  };
  /// Runs it; when it throws, `name` suffers, and it is tried anew: once more has to do.
  bool attempt(const std::string& name, const std::function<void()>& step);
  [[nodiscard]] guest::Guest attach(const std::string& name);
  void begin(Reader& reader);
  void expect(Reader& reader, const std::string& payload);
  void begin_writing();
  void suffer(const std::string& name, const std::string& why);

  [[nodiscard]] std::chrono::nanoseconds patience() const;
  [[nodiscard]] bool given_up() const;

  const std::string socket_path_;
  const bool enough_;
  std::vector<std::unique_ptr<Reader>> readers_;
  std::optional<guest::Guest> writer_;
  std::optional<guest::Publisher> publisher_;
  int number_ = 0;
  bool welcomed_ = false;
  std::set<std::string> sufferers_;
  std::vector<std::string> problems_;
};

}  // namespace fairlead::test
