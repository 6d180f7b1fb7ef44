// Runs a fuzz target without libFuzzer: each file of a corpus as it is, then mutations of them and
// random bytes from a fixed seed, so that two runs do the same.
//
// Usage: <target> CORPUS_FOLDER [INPUTS [SEED]]; a folder that does not exist is an empty corpus.
#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string_view>
#include <system_error>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using Input = std::vector<std::uint8_t>;

constexpr std::uint64_t kInputs = 3000;
constexpr std::size_t kMaxRandomBytes = 4096;

std::vector<Input> read_corpus(const char* folder) {
  std::vector<std::filesystem::path> paths;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<Input> corpus;
  for (const auto& path : paths) {
    std::ifstream file(path, std::ios::binary);
    corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return corpus;
}

class Mutator {
 public:
  Mutator(std::vector<Input> corpus, std::uint64_t seed)
      : corpus_(std::move(corpus)), random_(seed) {}

  Input next() {
    Input input;
    if (corpus_.empty() || below(4) == 0) {
      input.resize(below(kMaxRandomBytes));
      for (auto& byte : input) byte = any_byte();
    } else {
      input = corpus_[below(corpus_.size())];
      for (std::size_t changes = 1 + below(8); changes > 0; --changes) change(input);
    }
    return input;
  }

 private:
  std::size_t below(std::size_t limit) { return limit == 0 ? 0 : random_() % limit; }
  std::uint8_t any_byte() { return static_cast<std::uint8_t>(random_()); }

  void change(Input& input) {
    const auto at = static_cast<std::ptrdiff_t>(below(input.size() + 1));
    const auto left = static_cast<std::ptrdiff_t>(input.size()) - at;
    const auto length = static_cast<std::ptrdiff_t>(below(17)) % (left + 1);
    switch (below(4)) {
      case 0:
        input.insert(input.begin() + at, any_byte());
        break;
      case 1:
        input.erase(input.begin() + at, input.begin() + at + length);
        break;
      case 2:
        std::fill_n(input.begin() + at, length, any_byte());
        break;
      default: {
        const Input part(input.begin() + at, input.begin() + at + length);
        input.insert(input.begin() + static_cast<std::ptrdiff_t>(below(input.size() + 1)),
                     part.begin(), part.end());
      }
    }
  }

  std::vector<Input> corpus_;
  std::mt19937_64 random_;
};

bool parse(std::string_view text, std::uint64_t& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

int main(int count, char** arguments) {
  std::uint64_t inputs = kInputs;
  std::uint64_t seed = 1;
  if (count < 2 || count > 4 || (count > 2 && !parse(arguments[2], inputs)) ||
      (count > 3 && !parse(arguments[3], seed))) {
    std::fprintf(stderr, "usage: %s CORPUS_FOLDER [INPUTS [SEED]]\n", arguments[0]);
    return 2;
  }
  std::vector<Input> corpus = read_corpus(arguments[1]);
  for (const Input& input : corpus) LLVMFuzzerTestOneInput(input.data(), input.size());
  std::printf("%zu files of the corpus, %llu mutations, seed %llu\n", corpus.size(),
              static_cast<unsigned long long>(inputs), static_cast<unsigned long long>(seed));
  Mutator mutator(std::move(corpus), seed);
  for (std::uint64_t done = 0; done < inputs; ++done) {
    const Input input = mutator.next();
    LLVMFuzzerTestOneInput(input.data(), input.size());
  }
}
