#include "block_cache.h"

#include <algorithm>

namespace vggnet {

Memory BlockCache::take(std::size_t bytes) {
  constexpr std::int64_t kForgotten = 1000;  // takes, of which a step of VGG19 has about a hundred
  ++takes_;
  while (!free_.empty() && takes_ - free_.front().since > kForgotten) drop_oldest();
  // The smallest that fits, of at most twice the size: from stage to stage maps halve, and new pages take
  // longer than what is left over is worth. Of equal ones the last given, nearest in the caches.
  auto best = free_.end();
  for (auto block = free_.begin(); block != free_.end(); ++block) {
    const std::size_t size = block->memory.bytes();
    if (size >= bytes && size - bytes <= bytes &&
        (best == free_.end() || size <= best->memory.bytes()))
      best = block;
  }
  Memory taken;
  if (best != free_.end()) {
    taken = std::move(best->memory);
    free_bytes_ -= taken.bytes();
    free_.erase(best);
  }
  in_use_ += std::max(bytes, taken.bytes());
  in_use_at_most_ = std::max(in_use_at_most_, in_use_);
  while (in_use_ + free_bytes_ > in_use_at_most_) drop_oldest();
  if (!taken.bytes()) {
    in_use_ -= bytes;
    taken = Memory(bytes);
    in_use_ += taken.bytes();
  }
  return taken;
}

void BlockCache::give(Memory block) {
  in_use_ -= block.bytes();
  free_bytes_ += block.bytes();
  block.offer();
  free_.push_back({std::move(block), takes_});
}

void BlockCache::drop_oldest() {
  free_bytes_ -= free_.front().memory.bytes();
  free_.pop_front();
}

}  // namespace vggnet
