#include "memory.h"

#include <sys/mman.h>

#include <new>

namespace vggnet {

Memory::Memory(std::size_t bytes) {
  if (bytes == 0) return;
  constexpr std::size_t kLargePage = std::size_t{2} << 20;
  const std::size_t page = bytes < kLargePage ? 4096 : kLargePage;
  bytes = (bytes + page - 1) / page * page;
  void* const data =
      mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) throw std::bad_alloc();
#ifdef MADV_HUGEPAGE
  if (page == kLargePage) madvise(data, bytes, MADV_HUGEPAGE);  // a wish; refused is no harm
#endif
  data_ = data;
  bytes_ = bytes;
}

void Memory::reserve(std::size_t bytes) {
  if (bytes <= bytes_) return;
  *this = Memory();  // first given back, so that both are never held
  *this = Memory(bytes);
}

void Memory::offer() const {
#ifdef MADV_FREE
  if (data_) madvise(data_, bytes_, MADV_FREE);
#endif
}

Memory::~Memory() {
  if (data_) munmap(data_, bytes_);
}

}  // namespace vggnet
