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
  std::ptrdiff_t out_stride;  // floats from a row of outputs to the next
  // What the next product will read: the panel that follows this one, and the rows at `next_rows`.
  const Element* next_rows;  // or null
};

// Asks for the next product's numbers evenly over the steps of a block, as otherwise its first
// block of rows would wait for memory and the others leave the memory idle.
struct Ahead {
  const void *panel, *rows;
  std::ptrdiff_t panel_done, rows_done;  // bytes that were asked for during the blocks before
  std::ptrdiff_t panel_step, rows_step;  // bytes a step of depth

  void operator()(std::ptrdiff_t step) const {
    prefetch<2>(panel, panel_done + step * panel_step);
    prefetch<2>(rows, rows_done + step * rows_step);
  }
};

template <int kRows>
inline void block(const Product<float>& p, const float* rows, float* out, const Ahead& ahead) {
  Vector sums[kRows][kPanelVectors];
#pragma GCC unroll 16
  for (int row = 0; row < kRows; ++row)
#pragma GCC unroll 4
    for (int j = 0; j < kPanelVectors; ++j)
      sums[row][j] = p.bias ? load(p.bias + j * kLanes) : Vector{};
  const float* u = p.panel;
  for (int segment = 0; segment < p.segments; ++segment) {
    const float* const x = rows + segment * p.segment_stride;
    for (int k = 0; k < p.depth; ++k, u += kPanel) {
      Vector panel[kPanelVectors];
#pragma GCC unroll 4
      for (int j = 0; j < kPanelVectors; ++j) panel[j] = load(u + j * kLanes);
      ahead(segment * p.depth + k);
#pragma GCC unroll 16
      for (int row = 0; row < kRows; ++row) {
        const Vector value = broadcast(x[row * p.row_stride + k]);
#pragma GCC unroll 4
        for (int j = 0; j < kPanelVectors; ++j) sums[row][j] += value * panel[j];
      }
    }
  }
#pragma GCC unroll 16
  for (int row = 0; row < kRows; ++row)
#pragma GCC unroll 4
    for (int j = 0; j < kPanelVectors; ++j)
      store(out + row * p.out_stride + j * kLanes, p.relu ? rectify(sums[row][j]) : sums[row][j]);
}

#if defined(__AVX512BF16__)
template <int kRows>
inline void block(const Product<Bf16>& p, const Bf16* rows, float* out, const Ahead& ahead) {
  __m512 sums[kRows][kPanelVectors];
#pragma GCC unroll 16
  for (int row = 0; row < kRows; ++row)
#pragma GCC unroll 4
    for (int j = 0; j < kPanelVectors; ++j)
      sums[row][j] = p.bias ? (__m512)load(p.bias + j * kLanes) : _mm512_setzero_ps();
  const Bf16* u = p.panel;
  for (int segment = 0; segment < p.segments; ++segment) {
    const Bf16* const x = rows + segment * p.segment_stride;
    for (int k = 0; k < p.depth; k += 2, u += 2 * kPanel) {
      __m512bh panel[kPanelVectors];
#pragma GCC unroll 4
      for (int j = 0; j < kPanelVectors; ++j) panel[j] = (__m512bh)_mm512_loadu_si512(u + 2 * j * kLanes);
      ahead((segment * p.depth + k) / 2);
#pragma GCC unroll 16
      for (int row = 0; row < kRows; ++row) {
        int pair;
        std::memcpy(&pair, x + row * p.row_stride + k, sizeof pair);
        const __m512bh value = (__m512bh)_mm512_set1_epi32(pair);
#pragma GCC unroll 4
        for (int j = 0; j < kPanelVectors; ++j)
          sums[row][j] = _mm512_dpbf16_ps(sums[row][j], panel[j], value);
      }
    }
  }
#pragma GCC unroll 16
  for (int row = 0; row < kRows; ++row)
#pragma GCC unroll 4
    for (int j = 0; j < kPanelVectors; ++j) {
      const Vector values = (Vector)sums[row][j];
      store(out + row * p.out_stride + j * kLanes, p.relu ? rectify(values) : values);
    }
}
#endif

// One block of `num_rows` rows, at most kRows.
template <int kRows, class Element>
inline void block_of(const Product<Element>& p, const Element* rows, int num_rows, float* out,
                     const Ahead& ahead) {
  if constexpr (kRows > 0) {
    if (num_rows == kRows)
      block<kRows>(p, rows, out, ahead);
    else
      block_of<kRows - 1>(p, rows, num_rows, out, ahead);
  }
}

// All rows, in blocks of nearly equal height: a block of one row would wait for its own sums.
template <class Element>
inline void multiply(const Product<Element>& p, const Element* rows, int num_rows, float* out) {
  int blocks = (num_rows + kMaxRows - 1) / kMaxRows;
  const std::ptrdiff_t steps = p.segments * p.depth / kPair<Element>;
  const std::ptrdiff_t panel_bytes = steps * kPanel * 4, shares = steps * blocks;
  Ahead ahead{p.panel, p.next_rows, panel_bytes, 0, (panel_bytes + shares - 1) / shares,
              p.next_rows ? (num_rows * p.row_stride * std::ptrdiff_t(sizeof(Element)) + shares - 1) / shares
                          : 0};
  for (; blocks > 0; --blocks) {
    const int height = (num_rows + blocks - 1) / blocks;
    block_of<kMaxRows>(p, rows, height, out, ahead);
    ahead.panel_done += steps * ahead.panel_step;
    ahead.rows_done += steps * ahead.rows_step;
    rows += height * p.row_stride;
    out += height * p.out_stride;
    num_rows -= height;
  }
}

}  // namespace vggnet::VGGNET_TARGET
