// Finding a broker and introducing ourselves.
#pragma once

#include <memory>

#include <fairlead/guest/attach.hpp>

#include "connection.hpp"

namespace fairlead::guest {

struct Attachment {
  std::shared_ptr<Connection> connection;
  Welcome welcome;
};

/// Throws Error as Guest::attach() says.
[[nodiscard]] Attachment attach(AttachOptions options);

}  // namespace fairlead::guest
