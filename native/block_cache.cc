#include "block_cache.h"

#include <algorithm>
#include <iterator>
#include <new>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(start, bytes) ((void)(start), (void)(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(start, bytes) ((void)(start), (void)(bytes))
#endif

namespace vggnet {
namespace {

constexpr std::size_t kPage = 4096;
#ifdef __SANITIZE_ADDRESS__
constexpr std::size_t kGap = kPage;  // after each block, so that AddressSanitizer sees who writes there
#else
constexpr std::size_t kGap = 0;
#endif

}  // namespace

template <class Wanted>
void BlockCache::drop_free_regions(const Wanted& wanted) {
  for (auto region = oldest_free_region(); region != blocks_.end() && wanted(region->second);
       region = oldest_free_region()) {
    region_bytes_ -= region->second.bytes;
    ASAN_UNPOISON_MEMORY_REGION(region->first, region->second.bytes);
    regions_.erase(region->first);
    blocks_.erase(region);
  }
}

void* BlockCache::take(std::size_t asked) {
  constexpr std::int64_t kForgotten = 2000;  // of which a step of VGG19 has about two hundred
  const std::size_t bytes = (asked + kPage - 1) / kPage * kPage + kGap;
  ++time_;
  drop_free_regions([&](const Block& region) { return time_ - region.since > kForgotten; });
  auto block = smallest_that_fits(bytes);
  if (block == blocks_.end()) block = new_region(bytes);
  if (block->second.bytes > bytes)
    blocks_[block->first + bytes] = {block->second.bytes - bytes, true, block->second.since};
  block->second = {bytes, false, time_};
  in_use_ += bytes;
  in_use_at_most_ = std::max(in_use_at_most_, in_use_);
  ASAN_UNPOISON_MEMORY_REGION(block->first, asked);
  return block->first;
}

void BlockCache::give(void* data) {
  auto block = blocks_.find(static_cast<char*>(data));
  in_use_ -= block->second.bytes;
  ASAN_POISON_MEMORY_REGION(block->first, block->second.bytes);
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

// Of equal ones the last given, nearest in the caches. A region that is free as a whole is not cut for
// less than a sixteenth of it, which would keep it for ever.
BlockCache::Blocks::iterator BlockCache::smallest_that_fits(std::size_t bytes) {
  auto best = blocks_.end();
  for (auto it = blocks_.begin(); it != blocks_.end(); ++it) {
    const Block& block = it->second;
    if (!block.free || block.bytes < bytes) continue;
    if (block.bytes / 16 > bytes && is_free_region(it)) continue;
    if (best == blocks_.end() || block.bytes < best->second.bytes ||
        (block.bytes == best->second.bytes && block.since > best->second.since))
      best = it;
  }
  return best;
}

// Up to four times what is asked for, and a quarter of what there is, while that leaves no more than a
// third unused: the maps of a network halve from stage to stage, and regions of one map each would be
// cut up badly on the way back.
BlockCache::Blocks::iterator BlockCache::new_region(std::size_t bytes) {
  const std::size_t most = std::max(in_use_at_most_, in_use_ + bytes);
  const std::size_t room = most + most / 3 - std::min(region_bytes_, most + most / 3);
  const std::size_t size = std::max(bytes, std::min({region_bytes_ / 4, 4 * bytes, room}));
  drop_free_regions([&](const Block&) { return region_bytes_ + size > most; });
  Memory memory;
  try {
    memory = Memory(size);
  } catch (const std::bad_alloc&) {
    drop_free_regions([](const Block&) { return true; });
    memory = Memory(bytes);
  }
  char* const start = memory.as<char>();
  const std::size_t had = memory.bytes();
  const auto block = blocks_.emplace(start, Block{had, true, time_}).first;
  try {
    regions_.emplace(start, std::move(memory));
  } catch (...) {
    blocks_.erase(block);
    throw;
  }
  region_bytes_ += had;
  ASAN_POISON_MEMORY_REGION(start, had);
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

}  // namespace vggnet
