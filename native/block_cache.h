// Large blocks of memory, kept from one step of training to the next.
//
// A step takes and gives back the same blocks each time; from the system they would come as pages to
// be mapped and filled with zeros, which takes longer than some layers do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>

#include "memory.h"

namespace vggnet {

// Holds no more than what was taken at the same time at most, and of that the system may have back
// what nobody uses. For one thread at a time.
class BlockCache {
 public:
  // At least `bytes`, which is not nothing; what is in them is not said.
  Memory take(std::size_t bytes);
  void give(Memory block);

 private:
  struct Block {
    Memory memory;
    std::int64_t since;  // the number of blocks that had been taken when it was given
  };
  void drop_oldest();

  std::deque<Block> free_;  // in the order in which they were given
  std::size_t in_use_ = 0, in_use_at_most_ = 0, free_bytes_ = 0;
  std::int64_t takes_ = 0;
};

}  // namespace vggnet
