#include "doctor/finding.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "text/paint.hpp"
#include "text/printable.hpp"

namespace fairlead::tools::doctor {
namespace {

constexpr std::size_t kIdColumns = 18;

std::string painted(Status status, const Paint& paint) {
  std::string word(to_string(status));
  word.resize(4, ' ');
  switch (status) {
    case Status::ok:
      return paint.good(word);
    case Status::warn:
      return paint.doubtful(word);
    case Status::fail:
      break;
  }
  return paint.bad(word);
}

}  // namespace

std::string_view to_string(Status status) noexcept {
  switch (status) {
    case Status::ok:
      return "ok";
    case Status::warn:
      return "warn";
    case Status::fail:
      break;
  }
  return "fail";
}

Status worst(const std::vector<Finding>& findings) noexcept {
  Status status = Status::ok;
  for (const Finding& finding : findings) status = std::max(status, finding.status);
  return status;
}

std::string render_text(const std::vector<Finding>& findings, bool colours) {
  std::vector<const Finding*> sorted;
  sorted.reserve(findings.size());
  for (const Finding& finding : findings) sorted.push_back(&finding);
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto* a, const auto* b) { return a->status < b->status; });
  const Paint paint(colours);
  std::string out;
  for (const Finding* finding : sorted) {
    std::string id = finding->id;
    id.resize(std::max(kIdColumns, id.size() + 1), ' ');
    out += painted(finding->status, paint) + "  " + id + printable(finding->what);
    if (!finding->advice.empty()) out += "; " + printable(finding->advice);
    out += '\n';
  }
  return out;
}

std::string render_json(const std::vector<Finding>& findings) {
  using Json = nlohmann::ordered_json;
  Json json = {{"format", 1}, {"status", to_string(worst(findings))}, {"findings", Json::array()}};
  for (const Finding& finding : findings) {
    json["findings"].push_back({{"id", finding.id},
                                {"status", to_string(finding.status)},
                                {"what", finding.what},
                                {"advice", finding.advice}});
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace fairlead::tools::doctor
