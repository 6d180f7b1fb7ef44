// Where docs/shm_layout.md and the code disagree, one sentence each.
#pragma once

#include <string>
#include <vector>

#include "code.hpp"
#include "headers.hpp"
#include "page.hpp"

namespace fairlead::test {

using Sentences = std::vector<std::string>;

/// Every byte of every structure stands in a row: as the field that it is, or as padding.
[[nodiscard]] Sentences compare_structures(const std::vector<PageStructure>& page,
                                           const std::vector<Structure>& code);

/// What the headers declare and what code.cpp asks the compiler for, in order.
[[nodiscard]] Sentences compare_members(const std::vector<Declared>& headers,
                                        const std::vector<Structure>& code,
                                        const std::vector<PackedWord>& packed);

/// Labels beside the members of a header, and in the Sync column.
[[nodiscard]] Sentences compare_labels(const std::vector<Declared>& headers,
                                       const std::vector<PageStructure>& page);

/// What is in only one of the two, as texts.
[[nodiscard]] Sentences compare_texts(Sentences page, Sentences code);

}  // namespace fairlead::test
