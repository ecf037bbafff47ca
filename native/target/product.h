// Rows times panels: the one product that every convolution here comes down to.
//
// out[row][channel] = bias[channel] + sum over segments and depth of rows[row][depth] * panel,
// for the kPanel output channels of one panel. A block of kMaxRows rows by kPanelVectors vectors is
// summed up in registers, so that each number loaded is used several times. How rows are grouped
// into blocks changes no result: each output's terms are added in one order.
#pragma once

#include "vector.h"

namespace vggnet::VGGNET_TARGET {

// Depth steps are taken singly in float32 and in pairs in bf16, as the instruction does; a panel
// is [segments][depth / pair][kPanel][pair].
template <class Element>
constexpr int kPair = sizeof(float) / sizeof(Element);

// Panels that cover the outputs with what fills up a pixel.
constexpr int panels_of(int outputs) {
  return (round_up(outputs, kChannelBlock) + kPanel - 1) / kPanel;
}

template <class Element>
struct Product {
  std::ptrdiff_t row_stride;      // elements from a row to the next
  std::ptrdiff_t segment_stride;  // elements from a row's segment to its next
  int segments, depth;            // depth is a multiple of kPair
  const Element* panel;
  const float* bias;  // of the panel, or null
  bool relu;
  std::ptrdiff_t out_stride;  // numbers from a row of outputs to the next
};

// The panel that follows, which the next product will read: asked for evenly over the steps of this
// one, as otherwise its first block of rows would wait for memory and the others leave memory idle.
struct Ahead {
  const void* panel;
  std::ptrdiff_t step;  // bytes a step of depth

  void ask() {  // for two lines, as a single block of rows needs both
    prefetch<2>(panel, 0);
    prefetch<2>(panel, 64);
    panel = static_cast<const char*>(panel) + step;
  }
};

// What one step of depth multiplies, kPair numbers in each lane.
inline Vector load_step(const float* panel) { return load(panel); }
inline Vector broadcast_step(const float* row) { return broadcast(*row); }
inline Vector add_products(Vector sum, Vector a, Vector b) { return sum + a * b; }
#if defined(__AVX512BF16__)
inline __m512bh load_step(const Bf16* panel) { return (__m512bh)_mm512_loadu_si512(panel); }
inline __m512bh broadcast_step(const Bf16* row) {
  int pair;
  std::memcpy(&pair, row, sizeof pair);
  return (__m512bh)_mm512_set1_epi32(pair);
}
inline Vector add_products(Vector sum, __m512bh a, __m512bh b) {
  return (Vector)_mm512_dpbf16_ps((__m512)sum, a, b);
}
#endif

template <int kRows, class Element, class Output>
inline void block(const Product<Element>& p, const Element* rows, Output* out, Ahead& given) {
  constexpr int kTogether = 3, kPointers = (kRows + kTogether - 1) / kTogether;
  Ahead ahead = given;
  Vector sums[kRows][kPanelVectors];
#pragma GCC unroll 16
  for (int row = 0; row < kRows; ++row)
#pragma GCC unroll 4
    for (int j = 0; j < kPanelVectors; ++j)
      sums[row][j] = p.bias ? load(p.bias + j * kLanes) : Vector{};
  const Element* u = p.panel;
  for (int segment = 0; segment < p.segments; ++segment) {
    // A pointer to every third row: an instruction reaches one and two strides from it by itself,
    // while addresses worked out for every row take as many instructions as the products.
    const Element* x[kPointers];
#pragma GCC unroll 8
    for (int i = 0; i < kPointers; ++i) {
      x[i] = rows + segment * p.segment_stride + i * kTogether * p.row_stride;
      asm("" : "+r"(x[i]));  // or else the compiler finds that all come from `rows`
    }
#pragma GCC unroll 2
    for (int k = 0; k < p.depth; k += kPair<Element>, u += kPair<Element> * kPanel) {
      decltype(load_step(u)) panel[kPanelVectors];
#pragma GCC unroll 4
      for (int j = 0; j < kPanelVectors; ++j) panel[j] = load_step(u + j * kLanes * kPair<Element>);
      ahead.ask();
#pragma GCC unroll 16
      for (int row = 0; row < kRows; ++row) {
        const auto value = broadcast_step(x[row / kTogether] + row % kTogether * p.row_stride);
#pragma GCC unroll 4
        for (int j = 0; j < kPanelVectors; ++j) sums[row][j] = add_products(sums[row][j], panel[j], value);
      }
#pragma GCC unroll 8
      for (int i = 0; i < kPointers; ++i) x[i] += kPair<Element>;
    }
  }
  given = ahead;
#pragma GCC unroll 16
  for (int row = 0; row < kRows; ++row)
#pragma GCC unroll 4
    for (int j = 0; j < kPanelVectors; ++j)
      store_as(out + row * p.out_stride + j * kLanes, p.relu ? rectify(sums[row][j]) : sums[row][j]);
}

// One block of `num_rows` rows, at most kRows.
template <int kRows, class Element, class Output>
inline void block_of(const Product<Element>& p, const Element* rows, int num_rows, Output* out,
                     Ahead& ahead) {
  if constexpr (kRows > 0) {
    if (num_rows == kRows)
      block<kRows>(p, rows, out, ahead);
    else
      block_of<kRows - 1>(p, rows, num_rows, out, ahead);
  }
}

// All rows, in blocks of nearly equal height: a block of one row would wait for its own sums.
template <class Element, class Output>
inline void multiply(const Product<Element>& p, const Element* rows, int num_rows, Output* out) {
  int blocks = (num_rows + kMaxRows - 1) / kMaxRows;
  const std::ptrdiff_t numbers = std::ptrdiff_t(p.segments) * p.depth * kPanel;
  constexpr int kStepBytes = kPanel * kPair<Element> * int(sizeof(Element));
  Ahead ahead{p.panel + numbers, (kStepBytes + blocks - 1) / blocks};
  for (; blocks > 0; --blocks) {
    const int height = (num_rows + blocks - 1) / blocks;
    block_of<kMaxRows>(p, rows, height, out, ahead);
    rows += height * p.row_stride;
    out += height * p.out_stride;
    num_rows -= height;
  }
}

}  // namespace vggnet::VGGNET_TARGET
