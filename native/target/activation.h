// What follows a convolution in training: batch normalisation, ReLU and the 2x2 max-pool, forward and
// backward, each in as few passes over the maps as there can be.
//
// y = pool(relu(z * scale + shift)) by channel, where scale and shift are 1 and 0 without batch
// normalisation. Nothing but z is kept for the way back: which numbers ReLU and pool let through is
// found again. Rows are taken in a fixed number of chunks and each chunk's sums added up on their own,
// so that the number of threads changes no result.
#pragma once

#include "vector.h"

namespace vggnet::VGGNET_TARGET {

constexpr int kChunks = 256;

// Calls body(chunk, image, y) for each row of pixels of `height` rows, in chunks.
template <class Body>
inline void for_each_row_in_chunks(Team& team, int images, int height, const Body& body) {
  const std::int64_t rows = std::int64_t(images) * height;
  team.parallel(kChunks, [&](int chunk, int) noexcept {
    for (std::int64_t row = rows * chunk / kChunks; row < rows * (chunk + 1) / kChunks; ++row)
      body(chunk, int(row / height), int(row % height));
  });
}

// Two sums a channel and chunk, added up.
struct ChannelSums {
  int channels;
  float* chunks;

  ChannelSums(int channels, Scratch& scratch)
      : channels(channels), chunks(scratch.shared<float>(std::size_t(kChunks) * 2 * channels)) {
    std::memset(chunks, 0, std::size_t(kChunks) * 2 * channels * sizeof(float));
  }
  void add(int chunk, int channel, Vector first, Vector second) const {
    float* const at = chunks + std::size_t(chunk) * 2 * channels + channel;
    store(at, load(at) + first);
    store(at + channels, load(at + channels) + second);
  }
  void total(double* sums) const {
    for (int i = 0; i < 2 * channels; ++i) {
      sums[i] = 0;
      for (int chunk = 0; chunk < kChunks; ++chunk) sums[i] += chunks[std::size_t(chunk) * 2 * channels + i];
    }
  }
};

// sums of z - mean and of its square, where `mean` is any number near the mean.
inline void statistics(const Activation& a) {
  const Map& map = a.map;
  const ChannelSums sums(map.pixel, a.scratch);
  for_each_row_in_chunks(a.team, a.images, map.height, [&](int chunk, int image, int y) {
    const float* z = a.z + image * map.size() + y * map.row();
    for (int x = 0; x < map.width; ++x, z += map.pixel)
      for (int channel = 0; channel < map.pixel; channel += kLanes) {
        const Vector d = load(z + channel) - load(a.mean + channel);
        sums.add(chunk, channel, d, d * d);
      }
  });
  sums.total(a.sums);
}

// Rows of outputs, among which those that a pool leaves out at an odd edge count as one.
inline int output_rows(const Activation& a) { return a.pool ? (a.map.height + 1) / 2 : a.map.height; }

inline void activate(const Activation& a) {
  const Map& map = a.map;
  const int step = a.pool ? 2 : 1, height = map.height / step, width = map.width / step;
  const std::size_t row = std::size_t(width) * map.pixel;
  a.team.parallel(a.images * height, [&](int index, int) noexcept {
    const int image = index / height, y = index % height;
    const float* z = a.z + image * map.size() + std::size_t(y) * step * map.row();
    float* target = a.output + index * row;
    for (int x = 0; x < width; ++x, z += std::ptrdiff_t(step) * map.pixel, target += map.pixel)
      for (int channel = 0; channel < map.pixel; channel += kLanes) {
        const Vector scale = load(a.scale + channel), shift = load(a.shift + channel);
        const auto at = [&](std::size_t offset) { return load(z + channel + offset) * scale + shift; };
        Vector value = at(0);
        if (a.pool)
          value = max(max(value, at(map.pixel)), max(at(map.row()), at(map.row() + map.pixel)));
        store(target + channel, rectify(value));
      }
  });
}

// Calls body(offset of z, channel, gradient of z * scale + shift there) for all numbers of an output
// row's inputs. Of equal numbers under a pool the first counts, as in torch.
template <class Body>
inline void for_each_gradient(const Activation& a, int image, int y, const Body& body) {
  const Map& map = a.map;
  const int step = a.pool ? 2 : 1, height = map.height / step, width = map.width / step;
  const std::size_t first = image * map.size() + std::size_t(y) * step * map.row();
  const float* gradient = a.gradient + (std::size_t(image) * height + y) * width * map.pixel;
  if (!a.pool) {
    for (std::size_t x = 0; x < map.row(); x += map.pixel)
      for (int channel = 0; channel < map.pixel; channel += kLanes) {
        const Vector value = load(a.z + first + x + channel) * load(a.scale + channel) + load(a.shift + channel);
        body(first + x + channel, channel, value <= Vector{} ? Vector{} : load(gradient + x + channel));
      }
    return;
  }
  const bool whole = y < height;
  for (int x = 0; whole && x < width; ++x, gradient += map.pixel)
    for (int channel = 0; channel < map.pixel; channel += kLanes) {
      const Vector scale = load(a.scale + channel), shift = load(a.shift + channel);
      const std::size_t corner = first + std::size_t(2) * x * map.pixel + channel;
      const std::size_t offsets[4] = {corner, corner + map.pixel, corner + map.row(),
                                      corner + map.row() + map.pixel};
      Vector values[4];
      for (int i = 0; i < 4; ++i) values[i] = load(a.z + offsets[i]) * scale + shift;
      const Vector largest = max(max(values[0], values[1]), max(values[2], values[3]));
      Vector left = largest <= Vector{} ? Vector{} : load(gradient + channel);
      for (int i = 0; i < 4; ++i) {
        const auto taken = values[i] == largest;
        body(offsets[i], channel, taken ? left : Vector{});
        left = taken ? Vector{} : left;
      }
    }
  // What no window of the pool covers.
  const int rows = min(step, map.height - step * y);
  for (int row = 0; row < rows; ++row)
    for (int x = whole ? 2 * width : 0; x < map.width; ++x)
      for (int channel = 0; channel < map.pixel; channel += kLanes)
        body(first + row * map.row() + std::size_t(x) * map.pixel + channel, channel, Vector{});
}

// sums of the gradient of z * scale + shift, and of that times z - mean.
inline void activation_sums(const Activation& a) {
  const ChannelSums sums(a.map.pixel, a.scratch);
  for_each_row_in_chunks(a.team, a.images, output_rows(a), [&](int chunk, int image, int y) {
    for_each_gradient(a, image, y, [&](std::size_t offset, int channel, Vector gradient) {
      sums.add(chunk, channel, gradient, gradient * (load(a.z + offset) - load(a.mean + channel)));
    });
  });
  sums.total(a.sums);
}

// gradient of z: gradient * scale + (z - mean) * slope + constant, where mean, slope and constant say
// how z moves the statistics; without batch normalisation `mean` is null.
inline void activation_gradient(const Activation& a) {
  const int rows = output_rows(a);
  a.team.parallel(a.images * rows, [&](int index, int) noexcept {
    for_each_gradient(a, index / rows, index % rows, [&](std::size_t offset, int channel, Vector gradient) {
      if (a.mean)
        gradient = gradient * load(a.scale + channel) + load(a.constant + channel) +
                   (load(a.z + offset) - load(a.mean + channel)) * load(a.slope + channel);
      store(a.output + offset, gradient);
    });
  });
}

}  // namespace vggnet::VGGNET_TARGET
