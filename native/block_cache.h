// Large blocks of memory, kept from one step of training to the next.
//
// A step takes and gives back the same blocks each time; from the system they would come as pages to
// be mapped and filled with zeros, which takes longer than some layers do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>

#include "memory.h"

namespace vggnet {

// Blocks are cut from regions. Regions hold about as much as was taken at the same time at most, and
// of that the system may have back the regions that nobody uses. For one thread at a time.
class BlockCache {
 public:
  // `bytes`, which are not nothing, at the start of a page; what is in them is not said.
  void* take(std::size_t bytes);
  void give(void* block);

 private:
  struct Block {
    std::size_t bytes;
    bool free;
    std::int64_t since;  // when it was given, or its region made
  };
  using Blocks = std::map<char*, Block>;

  Blocks::iterator smallest_that_fits(std::size_t bytes);
  Blocks::iterator new_region(std::size_t bytes);
  Blocks::iterator oldest_free_region();
  bool is_free_region(Blocks::const_iterator block) const;
  void drop(Blocks::iterator region);

  std::map<char*, Memory> regions_;  // by where they start
  Blocks blocks_;                    // all that they are cut into, by where they start
  std::size_t region_bytes_ = 0, in_use_ = 0, in_use_at_most_ = 0;
  std::int64_t time_ = 0;  // how often something was taken or given
};

}  // namespace vggnet
