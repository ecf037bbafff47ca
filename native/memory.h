// Aligned memory in large pages where the system has them, given back when its owner goes.
#pragma once

#include <cstddef>
#include <utility>

namespace vggnet {

class Memory {
 public:
  Memory() = default;
  explicit Memory(std::size_t bytes);  // zeros; throws std::bad_alloc
  Memory(Memory&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  Memory& operator=(Memory&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Memory();

  // Room for at least `bytes`; what it held is lost when it has to grow.
  void reserve(std::size_t bytes);
  // The system may have it back for now; until it does, what is in it stays.
  void offer() const;
  std::size_t bytes() const { return bytes_; }
  template <class Element>
  Element* as() const {
    return static_cast<Element*>(data_);
  }

 private:
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace vggnet
