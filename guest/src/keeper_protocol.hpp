// What a guest and its keeper say to each other, over a socket pair (SOCK_SEQPACKET) whose guest's
// end is named by FAIRLEAD_KEEPER_FD. The guest asks with one byte. The keeper answers each
// question with one byte, but for one that comes while its last answer lies unread: that is the
// answer then. Who gave up waiting therefore reads what is there before it asks again.
#pragma once

#include <cstddef>

namespace fairlead::guest::keeper_protocol {

inline constexpr std::byte kConnectMe{1};  // guest: I need a connection

inline constexpr std::byte kNotThere{0};   // keeper: there is no broker, or it refuses: ask again
inline constexpr std::byte kConnected{1};  // keeper: here is one (+ descriptor), principal fixed

}  // namespace fairlead::guest::keeper_protocol
