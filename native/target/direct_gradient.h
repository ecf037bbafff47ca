// The gradient of a 3x3 convolution, stride 1 and padding 1, of pictures, whose few channels leave
// Winograd's algorithm nothing to gain, with respect to its kernels.
//
// What lies under the kernel at a pixel is a row of 9 numbers a channel, and one more that is 1, for
// the bias. The product of these rows with the gradients, whose depth is the pixels, is all there is.
// The pixels are taken in a fixed number of chunks, each with sums of its own, so that the number of
// threads changes no result.
#pragma once

#include "gradient.h"

namespace vggnet::VGGNET_TARGET {

// What lies under the kernel at pixel (y, x), zeros beyond the edge, row by row; then 1.
inline void gather_window(const Map& map, const float* image, int y, int x, float* window) {
  const int channels = map.pixel, row = 3 * channels;
  const int first = x == 0, last = x == map.width - 1;  // columns that lie beyond an edge
  for (int tap = 0; tap < 3; ++tap, window += row) {
    const int from = y + tap - 1;
    if (first || last || from < 0 || from >= map.height) std::memset(window, 0, row * sizeof(float));
    if (from < 0 || from >= map.height) continue;
    const float* const source = image + from * map.row() + std::ptrdiff_t(x - 1 + first) * channels;
    const int count = (3 - first - last) * channels;
    for (int i = 0; i < count; ++i) window[first * channels + i] = source[i];
  }
  *window = 1;
}

inline void direct_kernel_gradient(const KernelGradient& wanted) {
  constexpr int kDepth = 256, kChunks = 64;  // pixels at a time; what has sums of its own
  const Map &in = wanted.input, &out = wanted.output;
  const int inputs = in.pixel, outputs = out.pixel, rows = 9 * inputs + 1;
  const std::int64_t plane = std::int64_t(in.height) * in.width, pixels = plane * wanted.images;
  const std::int64_t blocks = (pixels + kDepth - 1) / kDepth;
  const int chunks = int(blocks < kChunks ? blocks : kChunks);
  const int row = round_up(outputs, kChannelBlock);
  const std::size_t size = std::size_t(rows) * row;
  float* const sums = wanted.scratch.shared<float>(chunks * size);
  const bool copied = outputs % kChannelBlock;  // gradients, so that pixels fill vectors
  wanted.scratch.reserve_own(std::size_t(kDepth) * (rows + (copied ? row : 0)) * sizeof(float));
  wanted.team.parallel(chunks, [&](int chunk, int member) noexcept {
    float* const windows = wanted.scratch.own<float>(member);
    const std::int64_t from = blocks * chunk / chunks, to = blocks * (chunk + 1) / chunks;
    for (std::int64_t block = from; block < to; ++block) {
      const std::int64_t first = block * kDepth;
      const int count = int(pixels - first < kDepth ? pixels - first : kDepth);
      for (int i = 0; i < count; ++i) {
        const std::int64_t image = (first + i) / plane, rest = (first + i) % plane;
        gather_window(in, wanted.inputs + image * in.size(), int(rest / in.width), int(rest % in.width),
                      windows + std::ptrdiff_t(i) * rows);
      }
      const float* gradients = wanted.output_gradients + first * outputs;
      if (copied) {
        float* const wide = windows + std::ptrdiff_t(kDepth) * rows;
        for (int i = 0; i < count; ++i)
          std::memcpy(wide + std::ptrdiff_t(i) * row, gradients + std::ptrdiff_t(i) * outputs,
                      outputs * sizeof(float));
        gradients = wide;
      }
      multiply_outer({.left = windows, .right = gradients, .left_stride = rows, .right_stride = row,
                      .depth = count, .sums = sums + chunk * size, .row = row, .add = block > from,
                      .next_left = 0,
                      .next_right = copied ? 0 : std::ptrdiff_t(kDepth) * outputs * std::ptrdiff_t(sizeof(float))},
                     0, rows, row);
    }
  });
  const auto total = [&](int place, int output) {
    double sum = 0;
    for (int chunk = 0; chunk < chunks; ++chunk) sum += sums[chunk * size + std::size_t(place) * row + output];
    return float(sum);
  };
  const Strides& s = wanted.strides;
  for (int output = 0; output < out.channels; ++output) {
    for (int tap = 0; wanted.weight && tap < 9; ++tap)
      for (int input = 0; input < inputs; ++input)
        wanted.weight[output * s.output + input * s.input + tap / 3 * s.row + tap % 3 * s.column] =
            total(tap * inputs + input, output);
    if (wanted.bias) wanted.bias[output] = total(9 * inputs, output);
  }
}

}  // namespace vggnet::VGGNET_TARGET
