// 3x3 convolutions, stride 1 and padding 1, by Winograd's algorithm.
//
// A tile of the input is transformed into numbers at side x side points; at each point those of many
// tiles, a row each, are multiplied with a panel of transformed kernels; the products of a tile are
// transformed back, and bias, ReLU and the 2x2 pool applied before anything is written. It goes
// block of tiles by block of tiles, so that what is transformed and the products stay in the cache,
// where all that belongs to one tile lies side by side, point by point. With many tiles
// each member of the team has blocks of its own; with few of many channels all members work on one
// block, since its kernels are what takes the time to read.
#pragma once

#include "product.h"
#include "transform.h"
#include "winograd_kernels.h"

namespace vggnet::VGGNET_TARGET {

// The tiles of all pictures, in one row after the other.
template <int kTile>
struct Tiles {
  int rows, columns, count;

  Tiles(const Map& map, int images)
      : rows((map.height + kTile - 1) / kTile),
        columns((map.width + kTile - 1) / kTile),
        count(images * rows * columns) {}

  struct Place {
    int image, top, left;  // of the tile's outputs
  };
  Place place(int tile) const {
    const int image = tile / (rows * columns), rest = tile % (rows * columns);
    return {image, rest / columns * kTile, rest % columns * kTile};
  }
};

template <int kTile, class Element, class Input>
inline void transform_input(const Map& map, const Input* image, int top, int left, Element* points,
                            std::ptrdiff_t point_stride, int first_channel, int last_channel) {
  constexpr int kSide = kTile + 2;
  const int y0 = top - 1, x0 = left - 1;
  const bool inside = y0 >= 0 && x0 >= 0 && y0 + kSide <= map.height && x0 + kSide <= map.width;
  for (int place = first_channel; place < last_channel; place += kLanes) {
    const int channel = vector_start(place, last_channel);
    Vector half[kSide][kSide];  // transformed along x
    for (int y = 0; y < kSide; ++y) {
      Vector d[kSide];
      const std::ptrdiff_t pixel = map.pixel;
      const std::ptrdiff_t start = (y0 + y) * std::ptrdiff_t(map.row()) + x0 * pixel + channel;
      if (inside) {
        const Input* const source = image + start;
#pragma GCC unroll 8
        for (int x = 0; x < kSide; ++x) {
          d[x] = load_as(source + x * pixel);
          // The next tile's, which lies to the right: too far apart for the machine to foresee, and
          // with many channels too much for the nearest cache.
          prefetch<2>(source, (x + kTile) * pixel * std::ptrdiff_t(sizeof(Input)));
        }
      } else {
        const bool row_inside = y0 + y >= 0 && y0 + y < map.height;
        for (int x = 0; x < kSide; ++x)
          d[x] = row_inside && x0 + x >= 0 && x0 + x < map.width ? load_as(image + start + x * pixel)
                                                                 : Vector{};
      }
      Transform<kTile>::input(d, half[y]);
    }
#pragma GCC unroll 8
    for (int x = 0; x < kSide; ++x) {
      Vector d[kSide], v[kSide];
#pragma GCC unroll 8
      for (int y = 0; y < kSide; ++y) d[y] = half[y][x];
      Transform<kTile>::input(d, v);
#pragma GCC unroll 8
      for (int y = 0; y < kSide; ++y) store_as(points + (y * kSide + x) * point_stride + channel, v[y]);
    }
  }
}

template <int kTile, class Output>
inline void transform_output(const Step& step, const float* products, const float* bias,
                             Output* image, int top, int left, int channels) {
  constexpr int kSide = kTile + 2;
  const Map& map = step.output;
  const int scale = step.pool ? 2 : 1;
  const int first_y = top / scale, first_x = left / scale;
  const int height = min(kTile / scale, map.height - first_y);
  const int width = min(kTile / scale, map.width - first_x);
  Output* const corner = image + first_y * std::ptrdiff_t(map.row()) + first_x * std::ptrdiff_t(map.pixel);
  Output wide[kTile * kTile * kLanes];  // where channels are fewer than a vector
  for (int channel = 0; channel < channels; channel += kLanes) {
    const bool whole = channel + kLanes <= channels;
    Output* const target = whole ? corner + channel : wide;
    const std::ptrdiff_t row_step = whole ? std::ptrdiff_t(map.row()) : kTile * kLanes;
    const std::ptrdiff_t pixel_step = whole ? map.pixel : kLanes;
    Vector half[kTile][kSide];  // transformed along y
#pragma GCC unroll 8
    for (int x = 0; x < kSide; ++x) {
      Vector m[kSide], y[kTile];
#pragma GCC unroll 8
      for (int row = 0; row < kSide; ++row) m[row] = load(products + (row * kSide + x) * kPanel + channel);
      Transform<kTile>::output(m, y);
#pragma GCC unroll 8
      for (int row = 0; row < kTile; ++row) half[row][x] = y[row];
    }
    const Vector start = load(bias + channel);
    const auto put = [&](Vector value, int y, int x) {
      if (y >= height || x >= width) return;
      value += start;
      store_as(target + y * row_step + x * pixel_step, step.relu ? rectify(value) : value);
    };
    Vector above[kTile];  // of a window of the pool the larger ones of its upper row
#pragma GCC unroll 8
    for (int row = 0; row < kTile; ++row) {
      Vector values[kTile];
      Transform<kTile>::output(half[row], values);
      if (step.pool) {  // first, as neither a bias nor ReLU changes which number is the largest
#pragma GCC unroll 8
        for (int x = 0; x + 1 < kTile; x += 2) {
          const Vector larger = max(values[x], values[x + 1]);
          if (row % 2)
            put(max(above[x], larger), row / 2, x / 2);
          else
            above[x] = larger;
        }
      } else {
#pragma GCC unroll 8
        for (int x = 0; x < kTile; ++x) put(values[x], row, x);
      }
    }
    for (int y = 0; !whole && y < height; ++y)
      for (int x = 0; x < width; ++x)
        for (int lane = 0; lane < channels - channel; ++lane)
          corner[y * std::ptrdiff_t(map.row()) + x * std::ptrdiff_t(map.pixel) + channel + lane] =
              wide[y * row_step + x * pixel_step + lane];
  }
}

template <int kTile, class Element>
void winograd(const Step& step, const Call& call) {
  constexpr int kPoints = (kTile + 2) * (kTile + 2);
  constexpr int kOwnBytes = 400 << 10;      // of transformed inputs in a member's second-level cache
  constexpr int kKernelBytes = 4 << 20;     // of kernels that may be read again for every few tiles
  constexpr int kSharedBytes = 8 << 20;     // of transformed inputs in the cache that all members share
  constexpr int kProductBytes = 480 << 10;  // of products in a member's second-level cache
  constexpr int kFewTiles = 24;  // a member: fewer leave its kernels too little used once read
  const int depth = step.input.pixel, outputs = step.output.pixel;
  const Tiles<kTile> tiles(step.input, call.images);
  const int panels = panels_of(outputs);
  const PlainKernels& plain = step.weights->plain;
  // Where they are packed here, not a power of two: a kernel's points would share one set of a cache.
  const std::ptrdiff_t kernel_point =
      std::ptrdiff_t(depth) * kPanel + (plain.numbers ? 64 / sizeof(Element) : 0);
  const std::size_t panel_size = kPoints * kernel_point;
  const float* const bias = step.weights->bias.data();

  const int tile_bytes = kPoints * depth * int(sizeof(Element));
  const int members = call.team.size();
  const std::size_t kernel_bytes = panels * panel_size * sizeof(Element);
  int block_tiles = kMaxRows;
  bool alone = std::size_t(block_tiles) * tile_bytes <= kOwnBytes && kernel_bytes <= kKernelBytes &&
               tiles.count >= block_tiles * members;
  if (!alone) {
    block_tiles =
        max(1, min(kSharedBytes / tile_bytes, kProductBytes / int(kPoints * kPanel * sizeof(float))));
    // Of kernels that are still to be packed each panel is used once, by him who packs it, if it can.
    if (tiles.count >= kFewTiles * members && !(plain.numbers && tiles.count <= block_tiles)) {
      alone = true;
      const int rounds = (tiles.count + block_tiles * members - 1) / (block_tiles * members);
      block_tiles = (tiles.count + rounds * members - 1) / (rounds * members);
    }
  }
  block_tiles = min(max(block_tiles, 1), tiles.count);
  const int blocks = (tiles.count + block_tiles - 1) / block_tiles;
  block_tiles = (tiles.count + blocks - 1) / blocks;  // as even as can be
  // From one point to the next on whole cache lines; from one tile to the next not a power of two,
  // whose multiples share few sets of a cache.
  const int point_step = round_up(depth, kChannelBlock);
  const std::ptrdiff_t row = std::ptrdiff_t(kPoints) * point_step + 64 / sizeof(Element);
  constexpr std::ptrdiff_t kProducts = kPoints * kPanel + 16;

  auto in = [&](int tile, Element* points, int first_channel, int last_channel) {
    const auto [image, top, left] = tiles.place(tile);
    as_stored(step.input, call.input, [&, image = image, top = top, left = left](auto* input) {
      transform_input<kTile>(step.input, input + image * step.input.size(), top, left, points,
                             point_step, first_channel, last_channel);
    });
  };
  const Element* kernels = static_cast<const Element*>(step.weights->data);
  const bool pack_alone = plain.numbers && !alone && blocks == 1;
  if (plain.numbers && !pack_alone) {
    Element* const packed = call.scratch.packed<Element>(panels * panel_size);
    pack_panels<kTile>(plain, depth, kernel_point, packed, call.team);
    kernels = packed;
  }
  auto panel = [&](int index, int first, int count, const Element* rows, float* products) {
    const Element* own = kernels + index * panel_size;
    if (pack_alone) {
      Element* const packed = reinterpret_cast<Element*>(products + kProducts * block_tiles);
      for (int input = 0; input < depth; input += kPackedInputs)
        pack_inputs<kTile>(plain, index, input, depth, kernel_point, packed);
      own = packed;
    }
    Product<Element> product{.row_stride = row, .segment_stride = 0, .segments = 1,
                             .depth = depth, .panel = nullptr, .bias = nullptr, .relu = false,
                             .out_stride = kProducts};
    const int channel = index * kPanel, channels = min(kPanel, outputs - channel);
    for (int point = 0; point < kPoints; ++point) {
      product.panel = own + point * kernel_point;
      multiply(product, rows + point * point_step, count, products + point * kPanel);
    }
    for (int tile = 0; tile < count; ++tile) {
      const auto [image, top, left] = tiles.place(first + tile);
      as_stored(step.output, call.output, [&, image = image, top = top, left = left](auto* output) {
        transform_output<kTile>(step, products + tile * kProducts, bias + channel,
                                output + image * step.output.size() + channel, top, left, channels);
      });
    }
  };
  const std::size_t row_space = row * block_tiles, product_space = kProducts * block_tiles;
  if (alone) {
    call.scratch.reserve_own(row_space * sizeof(Element) + product_space * sizeof(float));
    call.team.parallel(blocks, [&](int block, int member) noexcept {
      const int first = block * block_tiles, count = min(block_tiles, tiles.count - first);
      Element* const rows = call.scratch.own<Element>(member);
      float* const products = reinterpret_cast<float*>(rows + row_space);
      for (int tile = 0; tile < count; ++tile) in(first + tile, rows + tile * row, 0, depth);
      for (int index = 0; index < panels; ++index) panel(index, first, count, rows, products);
    });
    return;
  }
  call.scratch.reserve_own(product_space * sizeof(float) + (pack_alone ? panel_size * sizeof(Element) : 0));
  Element* const rows = call.scratch.shared<Element>(row_space);
  for (int block = 0; block < blocks; ++block) {
    const int first = block * block_tiles, count = min(block_tiles, tiles.count - first);
    constexpr int kSlice = 8 * kLanes;
    const int slices = slices_of(depth, kSlice);
    call.team.parallel(count * slices, [&](int index, int) noexcept {
      const int tile = index / slices, slice = index % slices;
      in(first + tile, rows + tile * row, slice * kSlice, slice_end(depth, kSlice, slice));
    });
    call.team.parallel(panels, [&](int index, int member) noexcept {
      panel(index, first, count, rows, call.scratch.own<float>(member));
    });
  }
}

}  // namespace vggnet::VGGNET_TARGET
