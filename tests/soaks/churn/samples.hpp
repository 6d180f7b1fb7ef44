// What was measured while nobody but the residents was there, and whether any of it grows.
#pragma once

#include <string>
#include <vector>

#include "support/process_figures.hpp"

namespace fairlead::test::churn {

class Samples {
 public:
  struct Figure {
    std::string name;
    double tolerance;  // growth over the samples that are judged
    std::vector<double> values{};
  };

  /// After `cycles`; those of later calls must be more.
  void begin(double cycles) { cycles_.push_back(cycles); }
  /// One value of the sample that was begun last. Numbers of things may not grow by half a thing.
  void count(const std::string& name, std::optional<double> value) { add(name, 0.5, value); }
  void kibibytes(const std::string& name, std::optional<double> value);
  /// Of what is mapped, which more and more of is touched: at most all of it.
  void touched(const std::string& name, std::optional<double> value) { add(name, 1'024, value); }
  void add_process(const std::string& name, const ProcessFigures& figures);

  [[nodiscard]] std::size_t size() const noexcept { return cycles_.size(); }
  /// One line per figure, "name: 12 at the end, +0.001 per 1,000 cycles"; `problem` gets what
  /// grows.
  [[nodiscard]] std::string report(std::string& problem) const;

 private:
  void add(const std::string& name, double tolerance, std::optional<double> value);

  std::vector<double> cycles_;
  std::vector<Figure> figures_;
};

}  // namespace fairlead::test::churn
