// Reading the lines of a route table whose broker died. Only the broker's own user can write there,
// but it may have died at any store.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include <fairlead/shm/layout/table_layout.hpp>

#include "table/route_table.hpp"

namespace fairlead::broker {

/// All lines that make sense, one for each route and outbox: of two, the newer one, of one epoch
/// the one that is not interim. A gate change that was not finished is (R13). `segments` of other
/// brokers are none of ours.
[[nodiscard]] std::vector<AdoptedLine> read_adopted_lines(const shm::TableHeader& header,
                                                          std::span<const shm::TableEntry> entries,
                                                          std::string_view broker);

}  // namespace fairlead::broker
