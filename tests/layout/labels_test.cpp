// The labels of release/acquire pairs: each has both ends in the code, and stands on the page
// beside its word. (tools/style_check counts places; a place may be a comment.)
#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "differences.hpp"
#include "source_text.hpp"

namespace fairlead {
namespace {

using test::Sentences;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

// Statements by label, of one folder after the other.
using Labelled = std::map<std::string, std::vector<std::string>>;

Labelled labelled_in(const std::vector<std::string>& folders) {
  Labelled found;
  for (const std::string& folder : folders) {
    for (const std::string& file : test::sources_below(folder)) {
      const test::SourceText text = test::split_comments(test::contents_of(file));
      for (const std::string& label : test::labels_in(text.comments)) found[label];
      for (const auto& each : test::labelled_statements(text))
        found[each.label].push_back(each.code);
    }
  }
  return found;
}

bool has_both_ends(const std::vector<std::string>& statements) {
  for (std::size_t one = 0; one < statements.size(); ++one) {
    for (std::size_t other = 0; other < statements.size(); ++other) {
      if (one != other && test::releases(statements[one]) && test::acquires(statements[other]))
        return true;
    }
  }
  return false;
}

// Sequence counters have their orders inside of SnapshotGuard and read_snapshot().
bool is_of_snapshot(const test::PageLabel& label) {
  return std::all_of(label.words.begin(), label.words.end(),
                     [](const std::string& word) { return word.ends_with("::snapshot"); });
}

template <class Does>
bool has_end(const std::string& file, const test::PageLabel& label, Does does) {
  const test::SourceText text = test::split_comments(test::contents_of(file));
  for (const auto& each : test::labelled_statements(text))
    if (each.label == label.name && does(each.code)) return true;
  if (!is_of_snapshot(label)) return false;
  const auto statements = test::statements_of(text);
  return std::any_of(statements.begin(), statements.end(), [&](const std::string& each) {
    return each.find("napshot") != std::string::npos && does(each);
  });
}

TEST(Labels, each_stands_at_a_releasing_and_at_an_acquiring_statement) {
  std::set<std::string> elsewhere;
  for (const test::PageLabel& label : test::the_page().labels)
    if (is_of_snapshot(label)) elsewhere.insert(label.name);
  const Labelled labelled = labelled_in({"shm", "broker", "guest", "tools"});
  ASSERT_THAT(labelled, Not(IsEmpty()));
  for (const auto& [label, statements] : labelled) {
    if (!elsewhere.contains(label)) {
      EXPECT_TRUE(has_both_ends(statements)) << label;
    }
  }
}

TEST(Labels, the_page_names_files_that_hold_each_end) {
  for (const test::PageLabel& label : test::the_page().labels) {
    EXPECT_THAT(label.release_files, Not(IsEmpty())) << label.name;
    EXPECT_THAT(label.acquire_files, Not(IsEmpty())) << label.name;
    for (const std::string& file : label.release_files)
      EXPECT_TRUE(has_end(file, label, test::releases)) << label.name << " in " << file;
    for (const std::string& file : label.acquire_files)
      EXPECT_TRUE(has_end(file, label, test::acquires)) << label.name << " in " << file;
  }
}

TEST(Labels, on_the_page_are_those_of_the_headers) {
  EXPECT_THAT(test::compare_labels(test::structures_declared(), test::the_page().structures),
              IsEmpty());
}

TEST(Labels, on_the_page_belong_to_the_same_words_in_both_tables) {
  Sentences by_structure;
  Sentences by_label;
  for (const test::PageStructure& each : test::the_page().structures) {
    for (const test::PageRow& row : each.rows)
      if (!row.label.empty())
        by_structure.push_back(row.label + ": " + each.name + "::" + row.field.name);
  }
  for (const test::PageLabel& label : test::the_page().labels)
    for (const std::string& word : label.words) by_label.push_back(label.name + ": " + word);
  EXPECT_THAT(test::compare_texts(by_structure, by_label), IsEmpty());
}

// ---- that it notices
// -----------------------------------------------------------------------------

std::vector<std::string> texts_of(const std::string& source) {
  std::vector<std::string> texts;
  for (const auto& each : test::labelled_statements(test::split_comments(source)))
    texts.push_back(each.label + ": " + each.code);
  return texts;
}

TEST(LabelledStatement, is_the_one_on_its_line_or_the_next_one) {
  EXPECT_THAT(texts_of("a;\nb(1,\n  2);  // sync: one\nc;"), ElementsAre("one: b(1, 2);"));
  EXPECT_THAT(texts_of("a;\n// why  // sync: one\nb;"), ElementsAre("one: b;"));
  EXPECT_THAT(texts_of("a;\n// why. sync:\n// one\n\nb;"), ElementsAre("one: b;"));
  EXPECT_THAT(texts_of("a;\nif (b &&  // sync: one, two\n    c) {"),
              ElementsAre("one: if (b && c) {", "two: if (b && c) {"));
  EXPECT_THAT(texts_of("atomic_thread_fence(x);\nb;  // sync: one"),
              ElementsAre("one: atomic_thread_fence(x); b;"));
  EXPECT_THAT(texts_of("a;  // in sync: One is no label\n\"http://x\";"), IsEmpty());
}

TEST(LabelledStatement, releases_or_acquires_by_its_order) {
  EXPECT_TRUE(test::releases("a.store(1, std::memory_order_release);"));
  EXPECT_FALSE(test::acquires("a.store(1, std::memory_order_seq_cst);"));
  EXPECT_TRUE(test::acquires("a.load(std::memory_order_acquire);"));
  EXPECT_FALSE(test::releases("a.load(std::memory_order_seq_cst);"));
  EXPECT_TRUE(test::acquires("load_untrusted(a);"));
  EXPECT_FALSE(test::acquires("load_untrusted(a, std::memory_order_relaxed);"));
  EXPECT_FALSE(test::releases("a.store(1, std::memory_order_relaxed);"));
  const std::string fence = "std::atomic_thread_fence(std::memory_order_seq_cst);";
  EXPECT_TRUE(test::releases(fence) && test::acquires(fence));
  EXPECT_TRUE(has_both_ends({fence, fence}));
  EXPECT_FALSE(has_both_ends({fence}));
}

}  // namespace
}  // namespace fairlead
