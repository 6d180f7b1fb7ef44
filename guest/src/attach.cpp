#include "attach.hpp"

#include <errno.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include <fairlead/shm/layout/layout_hash.hpp>

#include "checked_principal.hpp"
#include "find_socket.hpp"

namespace fairlead::guest {
namespace {

namespace control = shm::control;

std::string_view program_name(const AttachOptions& options) {
  const std::string_view name =
      options.program.empty() ? std::string_view(::program_invocation_short_name) : options.program;
  return name.substr(0, std::min<std::size_t>(name.size(), 64));
}

Welcome to_welcome(const control::Welcome& packet) {
  return {.broker = std::string(packet.broker.view()),
          .epoch = packet.epoch,
          .guest = packet.guest,
          .principal = std::string(packet.principal.view()),
          .boundary = packet.boundary,
          .boundary_reason = std::string(packet.boundary_reason.view())};
}

}  // namespace

Attachment attach(AttachOptions options) {
  control::Hello hello{};
  hello.protocol_version = control::kProtocolVersion;
  hello.layout_hash = shm::kLayoutHash;
  hello.capsule = options.capsule ? *options.capsule : shm::make_random_uuid();
  // "system" stays as it is written: nothing at all means "whatever the policy names".
  (void)checked_principal(options.principal);
  hello.principal.assign(options.principal);
  hello.program.assign(program_name(options));
  auto connection = std::make_shared<Connection>(find_socket(options), options.timeout);
  const auto answer = connection->ask<control::Welcome>(Kind::hello, hello, Kind::welcome);
  return {std::move(connection), to_welcome(answer.reply)};
}

}  // namespace fairlead::guest
