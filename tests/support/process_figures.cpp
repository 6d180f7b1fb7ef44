#include "support/process_figures.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

namespace fairlead::test {

ProcessFigures figures_of_process(pid_t process) {
  ProcessFigures figures;
  const std::string folder = "/proc/" + std::to_string(process);
  std::error_code error;
  const std::filesystem::directory_iterator descriptors(folder + "/fd", error);
  if (!error)
    figures.descriptors = static_cast<double>(std::distance(begin(descriptors), end(descriptors)));
  std::ifstream maps(folder + "/maps");
  const auto lines = std::count(std::istreambuf_iterator<char>(maps), {}, '\n');
  if (lines > 0) figures.mappings = static_cast<double>(lines);
  std::ifstream status(folder + "/status");
  for (std::string line; std::getline(status, line);) {
    std::istringstream words(line);
    std::string name;
    double number = 0;
    if (!(words >> name >> number)) continue;
    if (name == "Threads:") figures.threads = number;
    if (name == "RssAnon:") figures.private_kib = number;
    if (name == "RssShmem:") figures.shared_kib = number;
  }
  return figures;
}

}  // namespace fairlead::test
