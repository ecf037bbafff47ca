// What is not a product: pools, averages, normalisation, and the order of numbers.
#pragma once

#include <cmath>

#include "vector.h"

namespace vggnet::VGGNET_TARGET {

// Calls body(input pixel's or row's address, output's, ...) for every row of outputs.
template <class Body>
inline void for_each_row(const Step& step, const Call& call, const Body& body) {
  const Map &in = step.input, &out = step.output;
  call.team.parallel(call.images * out.height, [&](int index, int) noexcept {
    const int image = index / out.height, y = index % out.height;
    body(call.input + image * in.size() + std::ptrdiff_t(y) * step.stride * in.row(),
         call.output + image * out.size() + y * out.row());
  });
}

inline void max_pool(const Step& step, const Call& call) {
  const Map &in = step.input, &out = step.output;
  for_each_row(step, call, [&](const float* source, float* target) {
    for (int x = 0; x < out.width; ++x, target += out.pixel) {
      const float* const corner = source + std::size_t(x) * step.stride * in.pixel;
      for (int channel = 0; channel < out.pixel; channel += kLanes) {
        Vector largest = load(corner + channel);
        for (int row = 0; row < step.kernel; ++row)
          for (int column = 0; column < step.kernel; ++column)
            largest = max(largest, load(corner + row * in.row() + std::size_t(column) * in.pixel + channel));
        store(target + channel, largest);
      }
    }
  });
}

// The mean of each channel over the map. Summed up in double, and row by row.
inline void average(const Step& step, const Call& call) {
  const Map& in = step.input;
  call.team.parallel(call.images * in.pixel, [&](int index, int) noexcept {
    const int image = index / in.pixel, channel = index % in.pixel;
    const float* const source = call.input + image * in.size() + channel;
    double total = 0;
    for (int position = 0; position < in.height * in.width; ++position)
      total += source[std::size_t(position) * in.pixel];
    call.output[image * step.output.size() + channel] = float(total / (double(in.height) * in.width));
  });
}

// Krizhevsky et al. 2012, Section 3.3: x / (2 + 1e-4 * sum of squares of 5 channels)^0.75.
inline void normalise(const Step& step, const Call& call) {
  const Map& in = step.input;
  for_each_row(step, call, [&](const float* source, float* target) {
    for (int x = 0; x < in.width; ++x, source += in.pixel, target += in.pixel) {
      for (int channel = 0; channel < in.channels; ++channel) {
        float total = 0;
        for (int other = max(0, channel - 2); other <= min(in.channels - 1, channel + 2); ++other)
          total += source[other] * source[other];
        const float root = std::sqrt(2 + 1e-4f * total);
        target[channel] = source[channel] / (root * std::sqrt(root));
      }
      for (int channel = in.channels; channel < in.pixel; ++channel) target[channel] = 0;
    }
  });
}

inline void rectify_all(const Step& step, const Call& call) {
  for_each_row(step, call, [&](const float* source, float* target) {
    for (std::size_t i = 0; i < step.input.row(); i += kLanes)
      store(target + i, rectify(load(source + i)));
  });
}

// x * scale + shift by channel, which are the weights' data and bias.
inline void affine(const Step& step, const Call& call) {
  const float* const scale = static_cast<const float*>(step.weights->data);
  const float* const shift = step.weights->bias.data();
  const int pixel = step.input.pixel;
  for_each_row(step, call, [&](const float* source, float* target) {
    for (std::size_t x = 0; x < step.input.row(); x += pixel)
      for (int channel = 0; channel < pixel; channel += kLanes) {
        const Vector y = load(source + x + channel) * load(scale + channel) + load(shift + channel);
        store(target + x + channel, step.relu ? rectify(y) : y);
      }
  });
}

// Channels apart (NCHW) to channels side by side (NHWC).
inline void import_images(const Step& step, const Call& call) {
  const Map& out = step.output;
  const std::size_t plane = std::size_t(out.height) * out.width;
  call.team.parallel(call.images * out.height, [&](int index, int) noexcept {
    const int image = index / out.height, y = index % out.height;
    float* const target = call.output + image * out.size() + y * out.row();
    if (out.pixel > out.channels) std::memset(target, 0, out.row() * sizeof(float));
    for (int channel = 0; channel < out.channels; ++channel) {
      const float* const source =
          call.input + (std::size_t(image) * out.channels + channel) * plane + std::size_t(y) * out.width;
      for (int x = 0; x < out.width; ++x) target[std::size_t(x) * out.pixel + channel] = source[x];
    }
  });
}

// And back.
inline void export_images(const Step& step, const Call& call) {
  const Map& in = step.input;
  const std::size_t plane = std::size_t(in.height) * in.width;
  call.team.parallel(call.images * in.channels, [&](int index, int) noexcept {
    const int image = index / in.channels, channel = index % in.channels;
    const float* const source = call.input + image * in.size() + channel;
    float* const target = call.output + index * plane;
    for (std::size_t position = 0; position < plane; ++position)
      target[position] = source[position * in.pixel];
  });
}

}  // namespace vggnet::VGGNET_TARGET
