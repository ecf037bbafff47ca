// Vectors of float32 as wide as the target's registers.
//
// Every file in this folder is compiled once for each instruction set, in a namespace of its own,
// and uses no template of the standard library: the linker keeps one copy of such a template, and
// that copy may hold instructions that the machine lacks.
#pragma once

#include <cstdint>
#include <cstring>
#if defined(__AVX512BF16__)
#include <immintrin.h>
#endif

#include "../steps.h"

namespace vggnet::VGGNET_TARGET {

#if defined(__AVX512BF16__)
constexpr bool kHasBf16 = true;  // products of bf16, and activations kept in it
#else
constexpr bool kHasBf16 = false;
#endif
#if defined(__AVX512F__)
constexpr int kLanes = 16;
constexpr int kMaxRows = 12;  // rows and vectors of a block of products kept in registers
#elif defined(__AVX2__)
constexpr int kLanes = 8;
constexpr int kMaxRows = 6;
#else
constexpr int kLanes = 4;
constexpr int kMaxRows = 6;
#endif
constexpr int kPanelVectors = 2;
constexpr int kPanel = kPanelVectors * kLanes;  // output channels that a block of products covers
static_assert(kChannelBlock % kLanes == 0);

typedef float Vector __attribute__((vector_size(4 * kLanes)));
typedef float UnalignedVector __attribute__((vector_size(4 * kLanes), aligned(4)));

inline Vector load(const float* source) {
  return (Vector) * (const UnalignedVector*)source;
}
inline void store(float* target, Vector values) { *(UnalignedVector*)target = (UnalignedVector)values; }
inline Vector broadcast(float value) { return value - Vector{}; }
inline Vector max(Vector a, Vector b) { return (a > b) | (a != a) ? a : b; }  // NaN stays NaN
inline Vector rectify(Vector x) { return Vector{} > x ? Vector{} : x; }  // NaN stays NaN
inline float sum(Vector x) {
  float total = 0;
  for (int lane = 0; lane < kLanes; ++lane) total += x[lane];
  return total;
}
inline int min(int a, int b) { return a < b ? a : b; }
inline int max(int a, int b) { return a > b ? a : b; }

// The channels of a map in training need not fill vectors, but fill one: the last vector then begins
// earlier, so that it ends with the last channel, and computes some of the one before again.
inline int vector_start(int place, int last) { return min(place, last - kLanes); }
// Sums of such vectors lie one vector after the other, so that nothing is added twice: the place of a
// vector's, and that of a channel's.
inline int sums_of_vector(int start) { return round_up(start, kLanes); }
inline int sums_of_channel(int channel, int channels) {
  const int whole = channels / kLanes * kLanes;
  return channel < whole ? channel : whole + kLanes - (channels - channel);
}
// Channels in slices of about `size`, none of fewer than a vector.
inline int slices_of(int channels, int size) { return max(1, channels / size); }
inline int slice_end(int channels, int size, int slice) {
  return slice + 1 == slices_of(channels, size) ? channels : (slice + 1) * size;
}

// Asks for the line `bytes` after `base`, which may lie outside of what `base` points into: the
// address is made as a number, since C++ knows no such pointer, and the machine ignores it.
template <int kLocality = 3>
inline void prefetch(const void* base, std::ptrdiff_t bytes) {
  __builtin_prefetch(
      reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(base) + std::uintptr_t(bytes)), 0,
      kLocality);
}

// To the nearest bf16, to even at a tie; NaN stays NaN.
inline Bf16 round_to_bf16(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, 4);
  const std::uint32_t rounded = bits + 0x7fff + ((bits >> 16) & 1);
  return Bf16((value == value ? rounded : bits | 0x400000) >> 16);
}

inline Vector load_as(const float* source) { return load(source); }
inline void store_as(float* target, Vector values) { store(target, values); }
#if defined(__AVX512BF16__)
inline Vector load_as(const Bf16* source) {
  const __m256i narrow = _mm256_loadu_si256((const __m256i*)source);
  return (Vector)_mm512_slli_epi32(_mm512_cvtepu16_epi32(narrow), 16);
}
inline void store_as(Bf16* target, Vector values) {
  const __m256bh narrow = _mm512_cvtneps_pbh((__m512)values);
  std::memcpy(target, &narrow, sizeof narrow);
}
#endif

// Calls body(numbers) with the type that a map's numbers really have.
template <class Body>
inline void as_stored(const Map& map, const float* numbers, const Body& body) {
#if defined(__AVX512BF16__)
  if (map.half) return body(reinterpret_cast<const Bf16*>(numbers));
#endif
  body(numbers);
}
template <class Body>
inline void as_stored(const Map& map, float* numbers, const Body& body) {
#if defined(__AVX512BF16__)
  if (map.half) return body(reinterpret_cast<Bf16*>(numbers));
#endif
  body(numbers);
}

}  // namespace vggnet::VGGNET_TARGET
