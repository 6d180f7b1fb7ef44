#include <cstring>

#include <fairlead/shm/error.hpp>

namespace fairlead {
namespace {

ErrorCode code_of_errno(int error_number) noexcept {
  switch (error_number) {
    case ENOSPC:
    case ENOMEM:
    case EDQUOT:
      return ErrorCode::out_of_memory;
    case EACCES:
    case EPERM:
      return ErrorCode::denied;
    case EMFILE:
    case ENFILE:
      return ErrorCode::limit;
    default:
      return ErrorCode::system;
  }
}

}  // namespace

std::string_view to_string(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::denied:
      return "denied";
    case ErrorCode::not_found:
      return "not_found";
    case ErrorCode::not_ready:
      return "not_ready";
    case ErrorCode::wrong_version:
      return "wrong_version";
    case ErrorCode::wrong_layout:
      return "wrong_layout";
    case ErrorCode::foreign_segment:
      return "foreign_segment";
    case ErrorCode::truncated:
      return "truncated";
    case ErrorCode::corrupt:
      return "corrupt";
    case ErrorCode::name_taken:
      return "name_taken";
    case ErrorCode::socket_taken:
      return "socket_taken";
    case ErrorCode::out_of_memory:
      return "out_of_memory";
    case ErrorCode::limit:
      return "limit";
    case ErrorCode::quota_exceeded:
      return "quota_exceeded";
    case ErrorCode::rate_limited:
      return "rate_limited";
    case ErrorCode::invalid_topic:
      return "invalid_topic";
    case ErrorCode::invalid_pattern:
      return "invalid_pattern";
    case ErrorCode::invalid_principal:
      return "invalid_principal";
    case ErrorCode::invalid_argument:
      return "invalid_argument";
    case ErrorCode::policy_invalid:
      return "policy_invalid";
    case ErrorCode::protocol:
      return "protocol";
    case ErrorCode::disconnected:
      return "disconnected";
    case ErrorCode::timeout:
      return "timeout";
    case ErrorCode::broker_gone:
      return "broker_gone";
    case ErrorCode::unsupported:
      return "unsupported";
    case ErrorCode::system:
      return "system";
  }
  return "unknown";
}

std::string system_error_text(int error_number) {
  // The *_np functions return constant strings; strerror() would share a buffer between threads.
  const char* text = ::strerrordesc_np(error_number);
  const char* symbol = ::strerrorname_np(error_number);
  if (text == nullptr || symbol == nullptr) return "error " + std::to_string(error_number);
  return std::string(text) + " (" + symbol + ")";
}

void throw_system(std::string_view what, int error_number) {
  throw Error(code_of_errno(error_number),
              std::string(what) + ": " + system_error_text(error_number));
}

}  // namespace fairlead
