#include "policy/policy_loader.hpp"

#include <algorithm>
#include <utility>

#include <fairlead/shm/principal.hpp>
#include <fairlead/shm/topic.hpp>

#include "policy/shown_text.hpp"

namespace fairlead::broker {
namespace {

bool overlap(const PrincipalNames& left, const PrincipalNames& right) {
  if (left.exact && right.exact) return left.prefix == right.prefix;
  if (left.exact) return right.match(left.prefix);
  if (right.exact) return left.match(right.prefix);
  return left.prefix.starts_with(right.prefix) || right.prefix.starts_with(left.prefix);
}

// The text before the trailing star, or nothing when the text is an exact name.
std::optional<std::string_view> prefix_of(std::string_view text) {
  if (!text.ends_with('*')) return std::nullopt;
  return text.substr(0, text.size() - 1);
}

}  // namespace

std::optional<PrincipalNames> PolicyLoader::names_of(const PlacedText& placed) {
  const std::string& text = placed.text;
  if (text.empty()) {
    problems_.add(placed.position,
                  "a name must not be empty; the system principal is written 'system'");
    return std::nullopt;
  }
  const std::optional<std::string_view> prefix = prefix_of(text);
  PrincipalNames names{std::string(prefix.value_or(shm::canonical_principal(text))), !prefix};
  // As a prefix "system" is nobody's name: "system*" means "system2" and the like.
  const shm::PrincipalProblem problem = shm::check_principal(names.prefix);
  if (problem == shm::PrincipalProblem::none ||
      (prefix && problem == shm::PrincipalProblem::reserved)) {
    return names;
  }
  problems_.add(placed.position,
                shown(text) + " cannot be a name: " + std::string(shm::sentence_of(problem)) +
                    ", and only as the last byte a '*'");
  return std::nullopt;
}

PatternSet PolicyLoader::read_patterns(TableReader& reader, std::string_view key) {
  std::vector<PlacedText> texts;
  reader.read(key, texts);
  std::vector<std::string> patterns;
  for (PlacedText& placed : texts) {
    const shm::TopicProblem problem = shm::check_pattern(placed.text);
    if (problem == shm::TopicProblem::none) {
      patterns.push_back(std::move(placed.text));
    } else {
      problems_.add(placed.position, shown(placed.text) + " cannot be a pattern: " +
                                         std::string(shm::sentence_of(problem)));
    }
  }
  return PatternSet(std::move(patterns));
}

bool PolicyLoader::read_peers(TableReader& reader, PeerList& peers) {
  const std::size_t before = problems_.count();
  reader.read_identities("uid", own_uid_, peers.uids);
  reader.read_identities("gid", own_gid_, peers.gids);
  return problems_.count() == before;
}

void PolicyLoader::read_broker(const PolicyValue& value) {
  TableReader reader(value, PolicyTable::broker, problems_);
  BrokerLimits& limits = policy_.broker_;
  reader.read("maximum_guests", limits.maximum_guests);
  reader.read("maximum_routes", limits.maximum_routes);
  reader.read("total_budget_bytes", limits.total_budget_bytes);
  reader.read("total_outbox_bytes", limits.total_outbox_bytes);
  reader.read("descriptor_reserve", limits.descriptor_reserve);
  reader.read("descriptors_in_flight", limits.descriptors_in_flight);
  reader.read("attach_deadline_ms", limits.attach_deadline_ms);
  reader.read("spin_us", limits.spin_us);
  reader.read("resume_grace_seconds", limits.resume_grace_seconds);
}

void PolicyLoader::read_minter(const PolicyValue& value) {
  TableReader reader(value, PolicyTable::minter, problems_);
  MinterRule minter;
  if (read_peers(reader, minter.peers) && minter.peers.empty()) {
    reader.problem_at("uid", "this [[minter]] is nobody: give it a 'uid' or a 'gid'");
  }
  std::vector<PlacedText> texts;
  reader.read("names", texts);
  if (texts.empty()) {
    reader.problem_at("names", "this [[minter]] may mint nobody: give it 'names'");
  }
  for (const PlacedText& placed : texts) {
    if (auto names = names_of(placed)) {
      minter.names.push_back(*names);
      minter_names_.push_back({std::move(*names), placed.position});
    }
  }
  policy_.minters_.push_back(std::move(minter));
}

void PolicyLoader::check_minters_reach_somebody() {
  for (const PlacedNames& minted : minter_names_) {
    const auto reached = [&minted](const auto& rule) {
      return rule->minted && overlap(rule->names, minted.names);
    };
    if (std::none_of(policy_.rules_.begin(), policy_.rules_.end(), reached)) {
      problems_.add(minted.position, "no [[principal]] with minted = true has a name that " +
                                         shown(minted.names.text()) + " could mean");
    }
  }
}

std::optional<Policy> PolicyLoader::load(std::string_view text) {
  const PolicyValue file = parse_policy_document(text, problems_);
  if (!problems_.none()) return std::nullopt;
  const auto read_each = [this](const PolicyEntry& entry, auto&& read_one) {
    if (entry.value.kind != PolicyValue::Kind::list) {
      problems_.add(entry.position,
                    "write [[" + entry.key + "]], with two brackets: there may be " + "several");
      return;
    }
    for (const PolicyValue& element : entry.value.list) {
      if (element.kind == PolicyValue::Kind::table) {
        read_one(element);
      } else {
        problems_.add(element.position,
                      "each '" + entry.key + "' must be a table: write [[" + entry.key + "]]");
      }
    }
  };
  for (const PolicyEntry& entry : file.table) {
    if (entry.key == "broker" && entry.value.kind == PolicyValue::Kind::table) {
      read_broker(entry.value);
    } else if (entry.key == "broker") {
      problems_.add(entry.position, "'broker' must be a table: write [broker], there is only one");
    } else if (entry.key == "principal") {
      read_each(entry, [this](const PolicyValue& value) { read_principal(value); });
    } else if (entry.key == "minter") {
      read_each(entry, [this](const PolicyValue& value) { read_minter(value); });
    } else {
      problems_.add(entry.position,
                    unknown_key_sentence(entry.key, "the file", {"broker", "principal", "minter"}));
    }
  }
  check_minters_reach_somebody();
  if (problems_.none() && policy_.rules_.empty()) {
    problems_.add({}, "nobody could attach: the file has no [[principal]]");
  }
  if (!problems_.none()) return std::nullopt;
  policy_.own_uid_ = own_uid_;
  policy_.has_file_ = true;
  return std::move(policy_);
}

}  // namespace fairlead::broker
