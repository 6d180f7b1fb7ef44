#include "sub/message_format.hpp"

#include <fairlead/shm/clock.hpp>
#include <fairlead/shm/principal.hpp>

#include <nlohmann/json.hpp>

#include "text/encoding.hpp"
#include "text/names.hpp"
#include "text/printable.hpp"

namespace fairlead::tools {
namespace {

using Json = nlohmann::ordered_json;

std::string principal_of(const guest::Message& message) {
  return std::string(shm::displayed_principal(message.principal()));
}

Json message_json(const guest::Message& message, const ClockPair& clocks) {
  const bool text = is_utf8(message.text());
  return {{"type", "message"},
          {"topic", message.topic()},
          {"principal", principal_of(message)},
          {"sequence", message.sequence()},
          {"published", utc_text(clocks.realtime_of(message.published_nanoseconds()))},
          {"published_monotonic_ns", message.published_nanoseconds()},
          {"publisher", std::to_string(message.publisher())},  // more than 53 bits
          {"publish_number", message.publish_number()},
          {"lost_messages", message.lost_messages()},
          {"lost_bytes", message.lost_bytes()},
          {"encoding", text ? "text" : "base64"},
          {"payload", text ? std::string(message.text()) : base64(message.text())}};
}

void append_line(std::string& out, const Json& json) {
  // Payloads were looked at; a topic that is no UTF-8 cannot be published, only forged.
  out += json.dump(-1, ' ', false, Json::error_handler_t::replace);
  out += '\n';
}

std::string lost_text(std::uint64_t messages, std::uint64_t bytes) {
  return std::to_string(messages) + (messages == 1 ? " message (" : " messages (") +
         std::to_string(bytes) + " bytes)";
}

}  // namespace

ClockPair ClockPair::now() noexcept { return {shm::monotonic_ns(), shm::realtime_ns()}; }

void append_message(std::string& out, MessageFormat format, const guest::Message& message,
                    const ClockPair& clocks) {
  switch (format) {
    case MessageFormat::text:
      out += printable(message.topic()) + ' ' + printable(principal_of(message)) + ' ' +
             printable_line(message.text()) + '\n';
      break;
    case MessageFormat::json:
      append_line(out, message_json(message, clocks));
      break;
    case MessageFormat::raw:
      out += message.text();
      break;
    case MessageFormat::lines:
      out += message.text();
      out += '\n';
      break;
  }
}

void append_ended_loss(std::string& out, const guest::EndedLoss& loss) {
  append_line(out, {{"type", "loss"},
                    {"lost_messages", loss.messages},
                    {"lost_bytes", loss.bytes},
                    {"last_sequence", loss.last_sequence},
                    {"reason", name_of(loss.reason)}});
}

std::string loss_sentence(const guest::Message& message) {
  return lost_text(message.lost_messages(), message.lost_bytes()) + " of " +
         printable(principal_of(message)) + " lost before sequence " +
         std::to_string(message.sequence());
}

std::string loss_sentence(const guest::EndedLoss& loss) {
  return lost_text(loss.messages, loss.bytes) + " lost at the end of their lanes (" +
         std::string(name_of(loss.reason)) + "), the last with sequence " +
         std::to_string(loss.last_sequence);
}

}  // namespace fairlead::tools
