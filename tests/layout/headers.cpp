#include "headers.hpp"

#include <regex>

#include "source_text.hpp"

namespace fairlead::test {
namespace {

constexpr const char* kLayoutFolder = "shm/include/fairlead/shm/layout";
constexpr const char* kDrainMutexHeader = "shm/include/fairlead/shm/drain_mutex.hpp";

/// One past the brace that closes the one at `open`.
std::size_t end_of_block(const std::string& code, std::size_t open) {
  int depth = 0;
  std::size_t at = open;
  do {
    depth += code[at] == '{' ? 1 : 0;
    depth -= code[at] == '}' ? 1 : 0;
    ++at;
  } while (depth > 0 && at < code.size());
  return at;
}

std::string without_inner_blocks(const std::string& body) {
  std::string text;
  for (std::size_t at = 0; at < body.size();) {
    if (body[at] == '{') {
      at = end_of_block(body, at);
    } else {
      text += body[at++];
    }
  }
  return text;
}

std::vector<std::string> members_of(const std::string& body) {
  static const std::regex declaration("[^;]+;");
  static const std::regex alignment("alignas\\(\\s*\\w+\\s*\\)");
  static const std::regex name("(\\w+)\\s*(?:\\[[^\\]]*\\])?\\s*(?:=[^;]*)?;$");
  const std::string text = without_inner_blocks(body);
  std::vector<std::string> members;
  for (std::sregex_iterator each(text.begin(), text.end(), declaration), end; each != end; ++each) {
    const std::string plain = std::regex_replace(each->str(), alignment, "");
    std::smatch found;
    if (plain.find('(') == std::string::npos && std::regex_search(plain, found, name))
      members.push_back(found[1]);
  }
  return members;
}

}  // namespace

std::vector<Declared> structures_declared_in(std::string_view source) {
  static const std::regex head("\\n(?:struct|class)\\s+(?:alignas\\(\\w+\\)\\s+)?(\\w+)\\s*\\{");
  const SourceText text = split_comments(source);
  std::vector<Declared> found;
  for (std::sregex_iterator each(text.code.begin(), text.code.end(), head), end; each != end;
       ++each) {
    const auto open = static_cast<std::size_t>(each->position() + each->length()) - 1;
    const std::size_t bytes = end_of_block(text.code, open) - open;
    const std::string body = text.code.substr(open + 1, bytes - 2);
    found.push_back({(*each)[1], members_of(body), labels_in(text.comments.substr(open, bytes))});
  }
  return found;
}

std::vector<Enumeration> enumerations_declared_in(std::string_view source) {
  static const std::regex whole("enum class (\\w+) : std::uint(\\d+)_t \\{([^}]*)\\}");
  static const std::regex value("(\\w+)(?:\\s*=\\s*(\\d+))?");
  const std::string code = split_comments(source).code;
  std::vector<Enumeration> found;
  for (std::sregex_iterator each(code.begin(), code.end(), whole), end; each != end; ++each) {
    Enumeration made{(*each)[1], "u" + (*each)[2].str(), {}};
    const std::string list = (*each)[3];
    std::uint64_t next = 0;
    for (std::sregex_iterator part(list.begin(), list.end(), value); part != end; ++part) {
      if ((*part)[2].matched) next = std::stoull((*part)[2]);
      made.values.emplace_back(next++, (*part)[1]);
    }
    found.push_back(std::move(made));
  }
  return found;
}

std::vector<Declared> structures_declared() {
  std::vector<Declared> all = structures_declared_in(contents_of(kDrainMutexHeader));
  for (const std::string& header : sources_below(kLayoutFolder)) {
    for (Declared& each : structures_declared_in(contents_of(header)))
      all.push_back(std::move(each));
  }
  return all;
}

std::vector<Enumeration> enumerations_declared() {
  std::vector<Enumeration> all;
  for (const std::string& header : sources_below(kLayoutFolder)) {
    for (Enumeration& each : enumerations_declared_in(contents_of(header)))
      all.push_back(std::move(each));
  }
  return all;
}

}  // namespace fairlead::test
