#include "attach.hpp"

#include <errno.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include <fairlead/shm/layout/layout_hash.hpp>

#include "checked_principal.hpp"
#include "find_socket.hpp"
#include "way_back.hpp"

namespace fairlead::guest {
namespace {

namespace control = shm::control;

std::string_view program_name(const AttachOptions& options) {
  const std::string_view name =
      options.program.empty() ? std::string_view(::program_invocation_short_name) : options.program;
  return name.substr(0, std::min<std::size_t>(name.size(), 64));
}

}  // namespace

std::shared_ptr<Link> attach(AttachOptions options) {
  control::Hello hello{};
  hello.protocol_version = control::kProtocolVersion;
  hello.layout_hash = shm::kLayoutHash;
  hello.capsule = options.capsule ? *options.capsule : shm::make_random_uuid();
  // "system" stays as it is written: nothing at all means "whatever the policy names".
  (void)checked_principal(options.principal);
  hello.principal.assign(options.principal);
  hello.program.assign(program_name(options));
  auto way_back = find_way_back(options);
  const bool handed = options.descriptor || options.socket_path.empty();
  return std::make_shared<Link>(find_socket(options),
                                handed ? Link::Socket::handed : Link::Socket::ours, hello,
                                options.timeout, options.resume_for, std::move(way_back));
}

}  // namespace fairlead::guest
