#include "samples.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <span>

#include "support/slope.hpp"

namespace fairlead::test::churn {
namespace {

// The first third warms up: allocators, tables and pools reach their size.
constexpr std::size_t kWarmUpPart = 3;
constexpr std::size_t kFewestJudged = 10;
constexpr std::size_t kMostSamples = 2'048;
// Allocators keep some pages more or less. With 10,000 cycles, a leak of 13 bytes each is beyond
// it.
constexpr double kMemoryTolerance = 128;

}  // namespace

void Samples::add(const std::string& name, double tolerance, std::optional<double> value) {
  if (!value) return;
  auto found = std::ranges::find(figures_, name, &Figure::name);
  if (found == figures_.end()) {
    figures_.push_back({name, tolerance});
    found = figures_.end() - 1;
    found->values.reserve(kMostSamples);  // what measures itself does not grow
  }
  found->values.push_back(*value);
}

void Samples::kibibytes(const std::string& name, std::optional<double> value) {
  add(name, kMemoryTolerance, value);
}

void Samples::add_process(const std::string& name, const ProcessFigures& figures) {
  count(name + " descriptors", figures.descriptors);
  count(name + " threads", figures.threads);
  if (FAIRLEAD_SANITIZED) return;  // the address sanitizer keeps what was freed for a while
  count(name + " mappings", figures.mappings);
  kibibytes(name + " private KiB", figures.private_kib);
}

std::string Samples::report(std::string& problem) const {
  std::string text;
  const std::size_t warm_up = cycles_.size() / kWarmUpPart;
  const auto cycles = std::span(cycles_).subspan(warm_up);
  if (cycles.size() < kFewestJudged) problem = "too few samples to judge";
  for (const Figure& figure : figures_) {
    if (figure.values.size() != cycles_.size()) {
      problem = figure.name + " could not always be read";
      continue;
    }
    const auto values = std::span(figure.values).subspan(warm_up);
    const double slope = theil_sen_slope(cycles, values);
    const double growth = slope * (cycles.back() - cycles.front());
    const bool grows = growth > figure.tolerance;
    std::array<char, 256> line{};
    std::snprintf(line.data(), line.size(),
                  "%-28s %10.0f at the end, slope %+.4f per 1,000 cycles, %+.1f in all "
                  "(at most %.1f)%s\n",
                  figure.name.c_str(), values.back(), slope * 1'000, growth, figure.tolerance,
                  grows ? ": GROWS" : "");
    text += line.data();
    if (grows && problem.empty()) problem = figure.name + " grows, see the table";
  }
  return text;
}

}  // namespace fairlead::test::churn
