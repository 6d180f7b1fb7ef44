#include "source_text.hpp"

#include <algorithm>
#include <fstream>
#include <regex>
#include <sstream>

#include <gtest/gtest.h>

namespace fairlead::test {
namespace {

namespace fs = std::filesystem;

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

struct Statement {
  std::size_t from;  // of its first character that is no space
  std::size_t to;    // one past the character that ends it
};

std::vector<Statement> find_statements(const std::string& code) {
  std::vector<Statement> found;
  std::size_t at = 0;
  for (;;) {
    const std::size_t from = code.find_first_not_of(" \n\t;{}", at);
    if (from == std::string::npos) return found;
    const std::size_t end = std::min(code.find_first_of(";{}", from), code.size() - 1);
    found.push_back({from, end + 1});
    at = end + 1;
  }
}

/// With one space for any number of spaces and newlines.
std::string text_of(const std::string& code, const Statement& statement) {
  std::string text;
  for (std::size_t at = statement.from; at < statement.to; ++at) {
    const bool space = code[at] == ' ' || code[at] == '\n';
    if (!space) text += code[at];
    if (space && text.back() != ' ') text += ' ';
  }
  return text;
}

struct LabelPlace {
  std::string label;
  std::size_t at;
};

std::vector<LabelPlace> find_labels(const std::string& comments) {
  static const std::regex mark("\\bsync:[\\s/]*([a-z][a-z0-9-]*(?:, [a-z][a-z0-9-]*)*)");
  static const std::regex word("[a-z][a-z0-9-]*");
  std::vector<LabelPlace> found;
  for (std::sregex_iterator each(comments.begin(), comments.end(), mark), end; each != end;
       ++each) {
    const std::string list = (*each)[1];
    for (std::sregex_iterator part(list.begin(), list.end(), word); part != end; ++part)
      found.push_back({part->str(), static_cast<std::size_t>(each->position())});
  }
  return found;
}

}  // namespace

std::string contents_of(const fs::path& path) {
  std::ifstream file(fs::path(FAIRLEAD_SOURCE_DIR) / path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<std::string> sources_below(const std::string& folder) {
  const fs::path root = FAIRLEAD_SOURCE_DIR;
  std::vector<std::string> found;
  for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
    const fs::path extension = entry.path().extension();
    if (extension == ".hpp" || extension == ".cpp")
      found.push_back(entry.path().lexically_relative(root).string());
  }
  std::sort(found.begin(), found.end());
  return found;
}

SourceText split_comments(std::string_view source) {
  SourceText text;
  bool comment = false;
  for (std::size_t at = 0; at < source.size(); ++at) {
    const char each = source[at];
    if (each == '\n') comment = false;
    // "https://" in a text is not one.
    if (source.substr(at, 2) == "//" && (at == 0 || source[at - 1] != ':')) comment = true;
    const bool both = each == '\n';
    text.code += both || !comment ? each : ' ';
    text.comments += both || comment ? each : ' ';
  }
  return text;
}

std::set<std::string> labels_in(std::string_view comments) {
  std::set<std::string> labels;
  for (const LabelPlace& place : find_labels(std::string(comments))) labels.insert(place.label);
  return labels;
}

std::vector<std::string> statements_of(const SourceText& text) {
  std::vector<std::string> statements;
  for (const Statement& each : find_statements(text.code))
    statements.push_back(text_of(text.code, each));
  return statements;
}

std::vector<LabelledStatement> labelled_statements(const SourceText& text) {
  const std::vector<Statement> statements = find_statements(text.code);
  std::vector<LabelledStatement> found;
  for (const LabelPlace& place : find_labels(text.comments)) {
    const std::size_t line = text.code.rfind('\n', place.at) + 1;
    // The last one that begins before the comment and reaches into its line; or the next one.
    auto which = std::find_if(statements.begin(), statements.end(),
                              [&](const Statement& each) { return each.from >= place.at; });
    if (which != statements.begin() && std::prev(which)->to > line) --which;
    if (which == statements.end()) continue;
    std::string code = text_of(text.code, *which);
    if (which != statements.begin()) {
      const std::string before = text_of(text.code, *std::prev(which));
      if (contains(before, "atomic_thread_fence(")) code = before + ' ' + code;
    }
    found.push_back({place.label, code});
  }
  return found;
}

bool releases(std::string_view statement) {
  if (contains(statement, "SnapshotGuard guard(")) return true;
  if (contains(statement, "_release") || contains(statement, "_acq_rel")) return true;
  const bool fence = contains(statement, "atomic_thread_fence(");
  const bool only_loads = !fence && contains(statement, ".load(");
  return contains(statement, "_seq_cst") && !only_loads;
}

bool acquires(std::string_view statement) {
  if (contains(statement, "read_snapshot(")) return true;
  if (contains(statement, "_acquire") || contains(statement, "_acq_rel")) return true;
  if (contains(statement, "load_untrusted(") && !contains(statement, "_relaxed")) return true;
  const bool fence = contains(statement, "atomic_thread_fence(");
  const bool only_stores = !fence && contains(statement, ".store(");
  return contains(statement, "_seq_cst") && !only_stores;
}

}  // namespace fairlead::test
