// A broker with guests that look on while another program meets its fault.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "outcome.hpp"
#include "party.hpp"
#include "support/program.hpp"

namespace fairlead::test {

class BesideABroker : public Scene {
 public:
  explicit BesideABroker(std::string name, std::vector<std::string> words);

  [[nodiscard]] std::string name() const final { return name_; }
  Outcome run(TraceOptions trial, const Strictness& strictness) final;

 protected:
  /// Guests of its own, once.
  virtual void prepare() {}
  /// What happens while it runs.
  virtual void meanwhile(TracedProgram&) {}
  /// `complete`: it says that all was done.
  virtual void look_at(const std::string& output, bool complete, Outcome& outcome) = 0;
  [[nodiscard]] virtual bool says_enough(const TraceReport&, const std::string& said) const {
    return says_lines_of(said, speakers());
  }
  /// As whom it speaks on standard error.
  [[nodiscard]] virtual std::vector<std::string> speakers() const;
  [[nodiscard]] virtual bool documented(int code) const {
    return code == 0 || code == 1 || code == 3;
  }

  [[nodiscard]] std::string socket() const { return broker_.socket(); }
  [[nodiscard]] const std::string& broker() const { return broker_.name(); }
  [[nodiscard]] std::string write(const std::string& file, const std::string& text) const {
    return scratch_.write(file, text);
  }
  [[nodiscard]] guest::Guest attach(const std::string& principal) const {
    return guest::Guest::attach({.socket_path = socket(), .principal = principal});
  }
  /// Of the program; "SOCKET", "BROKER" and "FILE" in it are replaced. FILE has lines of text.
  [[nodiscard]] std::vector<std::string> command() const;
  [[nodiscard]] static std::vector<std::string> lines_of_file();

 private:
  void begin();
  void judge(Outcome& outcome, const TraceOptions& trial, const Strictness& strictness);
  [[nodiscard]] std::size_t open_files() const;

  const std::string name_;
  const std::vector<std::string> words_;
  ScratchDirectory scratch_;
  std::string file_;
  BrokerProcess broker_;
  std::optional<Party> party_;
  std::size_t segments_ = 0;
  std::size_t open_files_ = 0;
};

}  // namespace fairlead::test
