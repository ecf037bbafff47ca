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

// Two sums a channel and chunk of rows, added up.
struct ChannelSums {
  const Activation& a;
  const int row;  // numbers from a chunk's sums to its second ones
  const int num_chunks;
  float* const chunks;

  explicit ChannelSums(const Activation& a)
      : a(a),
        row(round_up(a.map.pixel, kLanes)),
        num_chunks(chunks_of(a)),
        chunks(a.scratch.shared<float>(std::size_t(num_chunks) * 2 * row)) {}

  // As few as leave each enough to do, and its sums of float32 exact enough.
  static int chunks_of(const Activation& a) {
    constexpr int kPixels = 128, kLeast = 16, kMost = 256;
    const std::size_t chunks = std::size_t(a.images) * a.map.height * a.map.width / kPixels;
    return chunks < kLeast ? kLeast : chunks > kMost ? kMost : int(chunks);
  }
  // Calls body(chunk's sums, image, y) for each row of pixels of `height` rows, and adds up.
  template <class Body>
  void over_rows(int height, const Body& body) const {
    const std::int64_t rows = std::int64_t(a.images) * height;
    a.team.parallel(num_chunks, [&](int chunk, int) noexcept {
      float* const sums = chunks + std::size_t(chunk) * 2 * row;
      std::memset(sums, 0, 2 * row * sizeof(float));
      for (std::int64_t index = rows * chunk / num_chunks; index < rows * (chunk + 1) / num_chunks; ++index)
        body(sums, int(index / height), int(index % height));
    });
    const int channels = a.map.pixel;
    for (int i = 0; i < 2 * channels; ++i) a.sums[i] = 0;
    for (int chunk = 0; chunk < num_chunks; ++chunk) {
      const float* const sums = chunks + std::size_t(chunk) * 2 * row;
      for (int channel = 0; channel < channels; ++channel) {
        const int place = sums_of_channel(channel, channels);
        a.sums[channel] += sums[place];
        a.sums[channels + channel] += sums[row + place];
      }
    }
  }
  void add(float* sums, int channel, Vector first, Vector second) const {
    float* const at = sums + sums_of_vector(channel);
    store(at, load(at) + first);
    store(at + row, load(at + row) + second);
  }
};

// sums of z - mean and of its square, where `mean` is any number near the mean.
inline void statistics(const Activation& a) {
  const Map& map = a.map;
  const ChannelSums sums(a);
  sums.over_rows(map.height, [&](float* chunk, int image, int y) {
    const float* z = a.z + image * map.size() + y * map.row();
    for (int x = 0; x < map.width; ++x, z += map.pixel)
      for (int place = 0; place < map.pixel; place += kLanes) {
        const int channel = vector_start(place, map.pixel);
        const Vector d = load(z + channel) - load(a.mean + channel);
        sums.add(chunk, channel, d, d * d);
      }
  });
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
      for (int place = 0; place < map.pixel; place += kLanes) {
        const int channel = vector_start(place, map.pixel);
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
      for (int place = 0; place < map.pixel; place += kLanes) {
        const int channel = vector_start(place, map.pixel);
        const Vector value = load(a.z + first + x + channel) * load(a.scale + channel) + load(a.shift + channel);
        body(first + x + channel, channel, value <= Vector{} ? Vector{} : load(gradient + x + channel));
      }
    return;
  }
  const bool whole = y < height;
  for (int x = 0; whole && x < width; ++x, gradient += map.pixel)
    for (int place = 0; place < map.pixel; place += kLanes) {
      const int channel = vector_start(place, map.pixel);
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
      for (int place = 0; place < map.pixel; place += kLanes) {
        const int channel = vector_start(place, map.pixel);
        body(first + row * map.row() + std::size_t(x) * map.pixel + channel, channel, Vector{});
      }
}

// sums of the gradient of z * scale + shift, and of that times z - mean.
inline void activation_sums(const Activation& a) {
  const ChannelSums sums(a);
  sums.over_rows(output_rows(a), [&](float* chunk, int image, int y) {
    for_each_gradient(a, image, y, [&](std::size_t offset, int channel, Vector gradient) {
      sums.add(chunk, channel, gradient, gradient * (load(a.z + offset) - load(a.mean + channel)));
    });
  });
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
