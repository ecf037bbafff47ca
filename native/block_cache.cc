#include "block_cache.h"

#include <algorithm>
#include <iterator>

namespace vggnet {

void* BlockCache::take(std::size_t bytes) {
  constexpr std::size_t kPage = 4096;
  constexpr std::int64_t kForgotten = 2000;  // of which a step of VGG19 has about two hundred
  bytes = (bytes + kPage - 1) / kPage * kPage;
  ++time_;
  for (auto region = oldest_free_region();
       region != blocks_.end() && time_ - region->second.since > kForgotten;
       region = oldest_free_region())
    drop(region);
  in_use_at_most_ = std::max(in_use_at_most_, in_use_ + bytes);
  auto block = smallest_that_fits(bytes);
  if (block == blocks_.end()) block = new_region(bytes);
  if (block->second.bytes > bytes)
    blocks_[block->first + bytes] = {block->second.bytes - bytes, true, block->second.since};
  block->second = {bytes, false, time_};
  in_use_ += bytes;
  return block->first;
}

void BlockCache::give(void* data) {
  auto block = blocks_.find(static_cast<char*>(data));
  in_use_ -= block->second.bytes;
  block->second.free = true;
  block->second.since = ++time_;
  // With the free ones beside it, in the same region, it is one again.
  const auto next = std::next(block);
  if (next != blocks_.end() && next->second.free && !regions_.count(next->first)) {
    block->second.bytes += next->second.bytes;
    blocks_.erase(next);
  }
  if (!regions_.count(block->first) && std::prev(block)->second.free) {
    const auto previous = std::prev(block);
    previous->second.bytes += block->second.bytes;
    previous->second.since = time_;
    blocks_.erase(block);
    block = previous;
  }
  if (is_free_region(block)) regions_.find(block->first)->second.offer();
}

// Of equal ones the last given, nearest in the caches.
BlockCache::Blocks::iterator BlockCache::smallest_that_fits(std::size_t bytes) {
  auto best = blocks_.end();
  for (auto it = blocks_.begin(); it != blocks_.end(); ++it) {
    const Block& block = it->second;
    if (!block.free || block.bytes < bytes) continue;
    if (best == blocks_.end() || block.bytes < best->second.bytes ||
        (block.bytes == best->second.bytes && block.since > best->second.since))
      best = it;
  }
  return best;
}

// A quarter more than there is, if that is more than is asked for: the maps of a network halve from
// stage to stage, and regions of one map each would be cut up badly on the way back.
BlockCache::Blocks::iterator BlockCache::new_region(std::size_t bytes) {
  Memory memory(std::max(bytes, region_bytes_ / 4));
  for (auto region = oldest_free_region();
       region != blocks_.end() && region_bytes_ + memory.bytes() > in_use_at_most_;
       region = oldest_free_region())
    drop(region);
  region_bytes_ += memory.bytes();
  char* const start = memory.as<char>();
  const auto block = blocks_.insert_or_assign(start, Block{memory.bytes(), true, time_}).first;
  regions_[start] = std::move(memory);
  return block;
}

BlockCache::Blocks::iterator BlockCache::oldest_free_region() {
  auto oldest = blocks_.end();
  for (auto block = blocks_.begin(); block != blocks_.end(); ++block)
    if (is_free_region(block) &&
        (oldest == blocks_.end() || block->second.since < oldest->second.since))
      oldest = block;
  return oldest;
}

bool BlockCache::is_free_region(Blocks::const_iterator block) const {
  const auto region = regions_.find(block->first);
  return block->second.free && region != regions_.end() &&
         region->second.bytes() == block->second.bytes;
}

void BlockCache::drop(Blocks::iterator region) {
  region_bytes_ -= region->second.bytes;
  regions_.erase(region->first);
  blocks_.erase(region);
}

}  // namespace vggnet
