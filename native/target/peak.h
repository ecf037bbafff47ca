// How fast products can be at all: rows and a panel that stay in the nearest cache.
#pragma once

#include "product.h"

namespace vggnet::VGGNET_TARGET {

// Products that one call of `measure` does in each member of the team.
constexpr int kPeakDepth = 128, kPeakRounds = 20000;
constexpr double kPeakProducts = double(kPeakRounds) * kMaxRows * kPanel * kPeakDepth;

template <class Element>
void measure(Team& team, Scratch& scratch) {
  const std::size_t rows = kMaxRows * kPeakDepth, panel = kPeakDepth * kPanel;
  scratch.reserve_own((rows + panel) * sizeof(Element) + kMaxRows * kPanel * sizeof(float));
  team.parallel(team.size(), [&](int, int member) noexcept {
    Element* const x = scratch.own<Element>(member);
    for (std::size_t i = 0; i < rows + panel; ++i)  // zeros might be spared the work
      if constexpr (sizeof(Element) == sizeof(float))
        x[i] = 1 + float(i % 61) / 64;
      else
        x[i] = round_to_bf16(1 + float(i % 61) / 64);
    float* const out = reinterpret_cast<float*>(x + rows + panel);
    const Product<Element> product{.row_stride = kPeakDepth, .segment_stride = 0, .segments = 1,
                                   .depth = kPeakDepth, .panel = x + rows, .bias = nullptr,
                                   .relu = false, .out_stride = kPanel};
    for (int round = 0; round < kPeakRounds; ++round) multiply(product, x, kMaxRows, out);
  });
}

}  // namespace vggnet::VGGNET_TARGET
