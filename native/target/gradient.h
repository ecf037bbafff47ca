// The gradient of a 3x3 convolution, stride 1 and padding 1, with respect to its kernels.
//
// Winograd's form Y = A^T [(G g G^T) . (B^T d B)] A is linear in g, hence
// dg = G^T [sum over tiles of (A dY A^T) . (B^T d B)] G: at each point a product of the transformed
// output gradients with the transformed inputs, whose depth is the tiles. Many tiles of few channels
// go block by block through the second-level cache, each part of the tiles with sums of its own; few
// tiles of many channels are transformed by all members, who then have sums of their own. Who
// computes a number changes no result: each sum's terms are added in one order, for a given number
// of members.
#pragma once

#include "winograd.h"

namespace vggnet::VGGNET_TARGET {

// Adds up each channel of the tile's gradients as well, where `sums` is not null (sums_of_vector).
template <int kTile>
inline void transform_output_gradient(const Map& map, const float* image, int top, int left,
                                      float* points, std::ptrdiff_t point_stride, int first_channel,
                                      int last_channel, float* sums) {
  constexpr int kSide = kTile + 2;
  const int height = min(kTile, map.height - top), width = min(kTile, map.width - left);
  const std::ptrdiff_t pixel = map.pixel;
  const float* const corner = image + top * std::ptrdiff_t(map.row()) + left * pixel;
  for (int place = first_channel; place < last_channel; place += kLanes) {
    const int channel = vector_start(place, last_channel);
    Vector half[kTile][kSide];  // transformed along x
    Vector total{};
    for (int y = 0; y < kTile; ++y) {
      Vector d[kTile] = {};
      const float* const source = corner + y * std::ptrdiff_t(map.row()) + channel;
      if (y < height && width == kTile) {
#pragma GCC unroll 8
        for (int x = 0; x < kTile; ++x) {
          d[x] = load(source + x * pixel);
          prefetch<2>(source, (x + kTile) * pixel * std::ptrdiff_t(sizeof(float)));
        }
      } else if (y < height) {
        for (int x = 0; x < width; ++x) d[x] = load(source + x * pixel);
      }
      Vector pairs[(kTile + 1) / 2];  // a single chain of sums would have the transform wait
#pragma GCC unroll 8
      for (int x = 0; x < kTile; x += 2) pairs[x / 2] = x + 1 < kTile ? d[x] + d[x + 1] : d[x];
#pragma GCC unroll 8
      for (int x = 1; x < (kTile + 1) / 2; ++x) pairs[0] += pairs[x];
      total += pairs[0];
      Transform<kTile>::output_adjoint(d, half[y]);
    }
    if (sums) store(sums + place, load(sums + place) + total);
#pragma GCC unroll 8
    for (int x = 0; x < kSide; ++x) {
      Vector d[kTile], m[kSide];
#pragma GCC unroll 8
      for (int y = 0; y < kTile; ++y) d[y] = half[y][x];
      Transform<kTile>::output_adjoint(d, m);
#pragma GCC unroll 8
      for (int y = 0; y < kSide; ++y) store(points + (y * kSide + x) * point_stride + channel, m[y]);
    }
  }
}

// sums[row][column] (+)= the sum over `depth` of left[depth][row] * right[depth][column].
struct OuterProduct {
  const float *left, *right;
  std::ptrdiff_t left_stride, right_stride;
  int depth;
  float* sums;
  std::ptrdiff_t row;  // numbers from a row of sums to the next
  bool add;            // to what is there
  std::ptrdiff_t next_left, next_right;  // bytes to what the next product reads
};

template <int kRows, int kVectors>
inline void outer_block(const OuterProduct& p, int first_row, int column) {
  Vector sums[kRows][kVectors] = {};
  const float *left = p.left + first_row, *right = p.right + column;
#pragma GCC unroll 2
  for (int k = 0; k < p.depth; ++k, left += p.left_stride, right += p.right_stride) {
    Vector values[kVectors];
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) values[j] = load(right + j * kLanes);
    prefetch(left, p.next_left);
    prefetch(right, p.next_right);
#pragma GCC unroll 16
    for (int row = 0; row < kRows; ++row) {
      const Vector factor = broadcast(left[row]);
#pragma GCC unroll 4
      for (int j = 0; j < kVectors; ++j) sums[row][j] += factor * values[j];
    }
  }
  float* target = p.sums + first_row * p.row + column;
#pragma GCC unroll 16
  for (int row = 0; row < kRows; ++row, target += p.row)
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) {
      float* const cell = target + j * kLanes;
      store(cell, p.add ? load(cell) + sums[row][j] : sums[row][j]);
    }
}

// One block of `num_rows` rows, at most kRows.
template <int kRows, int kVectors>
inline void outer_block_of(const OuterProduct& p, int first_row, int num_rows, int column) {
  if constexpr (kRows > 0) {
    if (num_rows == kRows)
      outer_block<kRows, kVectors>(p, first_row, column);
    else
      outer_block_of<kRows - 1, kVectors>(p, first_row, num_rows, column);
  }
}

// All rows from `first_row` on in blocks of nearly equal height, all columns, which are a multiple
// of kChannelBlock.
inline void multiply_outer(const OuterProduct& p, int first_row, int last_row, int columns) {
  for (int column = 0; column < columns; column += kPanel) {
    int blocks = (last_row - first_row + kMaxRows - 1) / kMaxRows;
    for (int row = first_row; blocks > 0; --blocks) {
      const int height = (last_row - row + blocks - 1) / blocks;
      if (columns - column >= kPanel)
        outer_block_of<kMaxRows, kPanelVectors>(p, row, height, column);
      else
        outer_block_of<kMaxRows, 1>(p, row, height, column);
      row += height;
    }
  }
}

// The kernels of `parts` sums [point][output][input] added up, where `row` inputs are an output's.
template <int kTile>
inline void transform_kernel_gradient(const KernelGradient& wanted, const float* sums, int row, int parts) {
  constexpr int kSide = kTile + 2;
  const int outputs = wanted.output.pixel, inputs = wanted.input.pixel;
  const std::size_t point_size = std::size_t(outputs) * row;
  const Strides& s = wanted.strides;
  wanted.team.parallel(outputs, [&](int output, int) noexcept {
    for (int input = 0; input < inputs; input += kLanes) {
      Vector half[3][kSide];  // transformed along y
      for (int x = 0; x < kSide; ++x) {
        Vector u[kSide], g[3];
        for (int y = 0; y < kSide; ++y) {
          const float* source = sums + (y * kSide + x) * point_size + std::size_t(output) * row + input;
          u[y] = load(source);
          for (int part = 1; part < parts; ++part) {
            source += kSide * kSide * point_size;
            u[y] += load(source);
          }
        }
        Transform<kTile>::kernel_adjoint(u, g);
        for (int y = 0; y < 3; ++y) half[y][x] = g[y];
      }
      float* const target = wanted.weight + output * s.output + input * s.input;
      const int lanes = min(kLanes, inputs - input);
      for (int y = 0; y < 3; ++y) {
        Vector g[3];
        Transform<kTile>::kernel_adjoint(half[y], g);
        for (int x = 0; x < 3; ++x) {
          float* const cells = target + y * s.row + x * s.column;
          if (s.input == 1 && lanes == kLanes)
            store(cells, g[x]);
          else
            for (int lane = 0; lane < lanes; ++lane) cells[lane * s.input] = g[x][lane];
        }
      }
    }
  });
}

// What is transformed of some tiles: at a point and tile the inputs or the output gradients.
struct Transformed {
  float *inputs, *gradients;
  std::ptrdiff_t input_point, gradient_point;  // numbers from a point to the next
  std::ptrdiff_t input_tile, gradient_tile;    // and from a tile to the next
};

template <int kTile>
void kernel_gradient(const KernelGradient& wanted) {
  constexpr int kSide = kTile + 2, kPoints = kSide * kSide;
  constexpr int kOwnBytes = 480 << 10;     // of transformed numbers in a member's second-level cache
  constexpr int kSumBytes = 3 << 20;       // of a part's sums, which every block of tiles goes over
  constexpr int kFewTiles = 32;            // a part: fewer leave its sums too little used
  constexpr int kSharedBytes = 16 << 20;   // of transformed numbers in the cache that all members share
  constexpr int kDepth = 128, kShare = 128;  // tiles and outputs at a point in a member's own caches
  constexpr int kBiasChunks = 16;          // of a block of tiles, whose biases are added up on their own
  const int inputs = wanted.input.pixel, outputs = wanted.output.pixel;
  // From a point to the next, on whole cache lines, and from a row of sums to the next: in what fills
  // them up there is anything, and nobody reads it.
  const int input_step = round_up(inputs, kChannelBlock), output_step = round_up(outputs, kChannelBlock);
  const int both = input_step + output_step;
  const Tiles<kTile> tiles(wanted.input, wanted.images);
  const std::size_t part_size = std::size_t(kPoints) * input_step * outputs;
  const int members = wanted.team.size();
  const bool alone = part_size * sizeof(float) <= kSumBytes && tiles.count >= kFewTiles * members;
  const int parts = alone ? members : 1, bias_parts = alone ? members : kBiasChunks;

  const auto transform_inputs = [&](int tile, const Transformed& t, int place, int first, int last) {
    const auto [image, top, left] = tiles.place(tile);
    transform_input<kTile>(wanted.input, wanted.inputs + image * wanted.input.size(), top, left,
                           t.inputs + place * t.input_tile, t.input_point, first, last);
  };
  const auto transform_gradients = [&](int tile, const Transformed& t, int place, int first, int last,
                                       float* bias) {
    const auto [image, top, left] = tiles.place(tile);
    transform_output_gradient<kTile>(wanted.output,
                                     wanted.output_gradients + image * wanted.output.size(), top, left,
                                     t.gradients + place * t.gradient_tile, t.gradient_point, first,
                                     last, bias);
  };
  // Of `count` tiles from `place` on, at one point, for the outputs from `first` to `last`.
  const auto multiply = [&](const Transformed& t, int place, int count, int point, int first, int last,
                            float* sums, bool add) {
    multiply_outer({.left = t.gradients + place * t.gradient_tile + point * t.gradient_point,
                    .right = t.inputs + place * t.input_tile + point * t.input_point,
                    .left_stride = t.gradient_tile, .right_stride = t.input_tile, .depth = count,
                    .sums = sums + std::size_t(point) * input_step * outputs, .row = input_step, .add = add,
                    .next_left = t.gradient_point * std::ptrdiff_t(sizeof(float)),
                    .next_right = t.input_point * std::ptrdiff_t(sizeof(float))},
                   first, last, input_step);
  };

  const std::ptrdiff_t tile_size = std::ptrdiff_t(kPoints) * (both + 2 * kChannelBlock);
  int block_tiles = max(1, int((alone ? kOwnBytes : kSharedBytes) / (tile_size * sizeof(float))));
  block_tiles = min(block_tiles, tiles.count);
  const std::size_t block_space = tile_size * std::size_t(block_tiles);
  float* const sums = wanted.scratch.shared<float>(parts * part_size + std::size_t(bias_parts) * output_step +
                                                   (alone ? 0 : block_space));
  float* const biases = sums + parts * part_size;
  std::memset(biases, 0, std::size_t(bias_parts) * output_step * sizeof(float));
  const auto biases_of = [&](int part) { return biases + std::size_t(part) * output_step; };
  if (alone) {
    wanted.scratch.reserve_own(block_space * sizeof(float));
    wanted.team.parallel(parts, [&](int part, int member) noexcept {
      // A tile's points side by side; not a power of two from tile to tile, whose multiples share few
      // sets of a cache.
      float* const own = wanted.scratch.own<float>(member);
      const std::ptrdiff_t tile_step = std::ptrdiff_t(kPoints) * both + kChannelBlock;
      const Transformed t{.inputs = own, .gradients = own + std::ptrdiff_t(kPoints) * input_step,
                          .input_point = input_step, .gradient_point = output_step,
                          .input_tile = tile_step, .gradient_tile = tile_step};
      const int from = int(std::int64_t(tiles.count) * part / parts);
      const int to = int(std::int64_t(tiles.count) * (part + 1) / parts);
      for (int first = from; first < to; first += block_tiles) {
        const int count = min(block_tiles, to - first);
        for (int tile = 0; tile < count; ++tile) transform_inputs(first + tile, t, tile, 0, inputs);
        for (int tile = 0; tile < count; ++tile)
          transform_gradients(first + tile, t, tile, 0, outputs, biases_of(part));
        for (int point = 0; point < kPoints; ++point)
          multiply(t, 0, count, point, 0, outputs, sums + part * part_size, first > from);
      }
    });
  } else {
    // A point's tiles side by side, as a member reads them who has points of his own.
    const std::ptrdiff_t input_tile = input_step + kChannelBlock;
    const std::ptrdiff_t gradient_tile = output_step + kChannelBlock;
    float* const rows = biases_of(bias_parts);
    const Transformed t{.inputs = rows, .gradients = rows + kPoints * block_tiles * input_tile,
                        .input_point = block_tiles * input_tile,
                        .gradient_point = block_tiles * gradient_tile,
                        .input_tile = input_tile, .gradient_tile = gradient_tile};
    constexpr int kSlice = 8 * kLanes;
    const int input_slices = slices_of(inputs, kSlice);
    const int slices = input_slices + slices_of(outputs, kSlice);
    const int shares = (outputs + kShare - 1) / kShare;
    for (int first = 0; first < tiles.count; first += block_tiles) {
      const int count = min(block_tiles, tiles.count - first);
      wanted.team.parallel(kBiasChunks * slices, [&](int index, int) noexcept {
        const int chunk = index / slices;
        const bool of_inputs = index % slices < input_slices;
        const int slice = index % slices - (of_inputs ? 0 : input_slices);
        const int channel = slice * kSlice, last = slice_end(of_inputs ? inputs : outputs, kSlice, slice);
        for (int tile = count * chunk / kBiasChunks; tile < count * (chunk + 1) / kBiasChunks; ++tile)
          if (of_inputs)
            transform_inputs(first + tile, t, tile, channel, last);
          else
            transform_gradients(first + tile, t, tile, channel, last, biases_of(chunk));
      });
      wanted.team.parallel(kPoints * shares, [&](int index, int) noexcept {
        const int point = index / shares, share = index % shares;
        for (int from = 0; from < count; from += kDepth)
          multiply(t, from, min(kDepth, count - from), point, outputs * share / shares,
                   outputs * (share + 1) / shares, sums, first + from > 0);
      });
    }
  }
  if (wanted.weight) transform_kernel_gradient<kTile>(wanted, sums, input_step, parts);
  if (wanted.bias)
    for (int output = 0; output < outputs; ++output) {
      double total = 0;
      for (int part = 0; part < bias_parts; ++part)
        total += biases_of(part)[sums_of_channel(output, outputs)];
      wanted.bias[output] = float(total);
    }
}

}  // namespace vggnet::VGGNET_TARGET
