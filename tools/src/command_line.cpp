#include "command_line.hpp"

#include <cstdio>

#include <cxxopts.hpp>

namespace fairlead::tools {
namespace {

// cxxopts quotes with U+2018 and U+2019.
std::string plain_quotes(std::string text) {
  for (const char* quote : {"\xe2\x80\x98", "\xe2\x80\x99"}) {
    for (std::size_t at = text.find(quote); at != std::string::npos; at = text.find(quote, at)) {
      text.replace(at, 3, "'");
    }
  }
  return text;
}

// cxxopts leaves a space where it breaks a line.
std::string without_trailing_spaces(std::string text) {
  for (std::size_t at = text.find(" \n"); at != std::string::npos; at = text.find(" \n")) {
    text.erase(at, 1);
  }
  return text;
}

void print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

}  // namespace

struct CommandLine::Content {
  explicit Content(CommandText wanted) : text(std::move(wanted)), options(text.name) {
    constexpr std::size_t kColumns = 96;
    options.set_width(kColumns);
  }

  CommandText text;
  cxxopts::Options options;
  std::optional<cxxopts::ParseResult> result;
  std::vector<std::string> operands;
};

CommandLine::CommandLine(CommandText text) : content_(std::make_unique<Content>(std::move(text))) {}

CommandLine::~CommandLine() = default;

void CommandLine::flag(const std::string& names, const std::string& help) {
  content_->options.add_options()(names, help);
}

void CommandLine::value(const std::string& names, const std::string& placeholder,
                        const std::string& help) {
  content_->options.add_options()(names, help, cxxopts::value<std::string>(), placeholder);
}

std::optional<int> CommandLine::parse(int count, const char* const* arguments) {
  flag("h,help", "print this text");
  flag("version", "print the version");
  try {
    // cxxopts takes arguments[0] for the program's name, which is the subcommand's here.
    content_->result = content_->options.parse(count, arguments);
  } catch (const cxxopts::exceptions::exception& error) {
    throw UsageError(plain_quotes(error.what()));
  }
  content_->operands = content_->result->unmatched();
  if (has("help")) {
    print(help());
    return kExitDone;
  }
  if (has("version")) {
    print(content_->text.name + ' ' + FAIRLEAD_VERSION + '\n');
    return kExitDone;
  }
  return std::nullopt;
}

bool CommandLine::has(const std::string& name) const { return content_->result->count(name) > 0; }

std::optional<std::string> CommandLine::text(const std::string& name) const {
  if (!has(name)) return std::nullopt;
  return (*content_->result)[name].as<std::string>();
}

std::vector<std::string> CommandLine::texts(const std::string& name) const {
  std::vector<std::string> all;
  for (const auto& given : content_->result->arguments()) {
    if (given.key() == name) all.push_back(given.value());
  }
  return all;
}

const std::vector<std::string>& CommandLine::operands() const { return content_->operands; }

std::string CommandLine::help() const {
  const std::string options = without_trailing_spaces(content_->options.help({""}, false));
  // cxxopts heads its list with the program's name, which our first line has already.
  const std::size_t list = options.find("  -");
  return "Usage: " + content_->text.name + ' ' + content_->text.synopsis + "\n\n" +
         content_->text.purpose + "\n\nOptions:\n" +
         (list == std::string::npos ? options : options.substr(options.rfind('\n', list) + 1)) +
         '\n' + content_->text.after;
}

}  // namespace fairlead::tools
