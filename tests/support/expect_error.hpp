// Expects a control call to throw Error with one code, and gives back its sentence.
#pragma once

#include <string>

#include <gtest/gtest.h>

#include <fairlead/shm/error.hpp>

namespace fairlead::test {

template <class Call>
std::string expect_error(ErrorCode code, Call&& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(to_string(error.code()), to_string(code)) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown, expected " << to_string(code);
  return {};
}

}  // namespace fairlead::test
