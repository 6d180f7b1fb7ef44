// Finding a broker and introducing ourselves.
#pragma once

#include <memory>

#include <fairlead/guest/attach.hpp>

#include "link.hpp"

namespace fairlead::guest {

/// Throws Error as Guest::attach() says.
[[nodiscard]] std::shared_ptr<Link> attach(AttachOptions options);

}  // namespace fairlead::guest
