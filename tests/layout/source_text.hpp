// Source files of the project as text: code and comments apart.
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace fairlead::test {

/// Of a path below the project's root. Fails the test when there is none.
[[nodiscard]] std::string contents_of(const std::filesystem::path& path);

/// .hpp and .cpp files below that folder, relative to the project's root, sorted.
[[nodiscard]] std::vector<std::string> sources_below(const std::string& folder);

// Both as long as the source, with spaces where the other one has something. Newlines are in both.
struct SourceText {
  std::string code;
  std::string comments;
};

[[nodiscard]] SourceText split_comments(std::string_view source);

/// The labels that comments name: "sync: a" and "sync: a, b", also with a line break after "sync:".
[[nodiscard]] std::set<std::string> labels_in(std::string_view comments);

// A statement, or the head of a block: what ends with one of ;{} in code. Of a fence's successor,
// the fence is a part.
struct LabelledStatement {
  std::string label;
  std::string code;
};

/// What each label stands at: the statement that its line belongs to, or else the next one.
[[nodiscard]] std::vector<LabelledStatement> labelled_statements(const SourceText& text);

/// All statements, in order.
[[nodiscard]] std::vector<std::string> statements_of(const SourceText& text);

/// Whether a statement is a releasing, or an acquiring, end of a pair.
[[nodiscard]] bool releases(std::string_view statement);
[[nodiscard]] bool acquires(std::string_view statement);

}  // namespace fairlead::test
