// Convolutions of any kernel, stride and padding, by the definition.
//
// The inputs under one row of a kernel lie side by side, so that an output pixel is the product of
// `kernel` segments of its input rows with the kernels. Input rows are copied only where padding
// has to be put around them.
#pragma once

#include "product.h"

namespace vggnet::VGGNET_TARGET {

inline void direct(const Step& step, const Call& call) {
  const Map &in = step.input, &out = step.output;
  const int outputs = out.pixel, panels = panels_of(outputs);
  const std::size_t padded_row = std::size_t(in.width + 2 * step.padding) * in.pixel;
  const float* const panel = static_cast<const float*>(step.weights->data);
  const std::size_t panel_size = std::size_t(step.kernel) * step.kernel * in.pixel * kPanel;
  Product<float> product{.row_stride = std::ptrdiff_t(step.stride) * in.pixel,
                         .segment_stride = std::ptrdiff_t(padded_row), .segments = step.kernel,
                         .depth = step.kernel * in.pixel, .panel = nullptr, .bias = nullptr,
                         .relu = step.relu, .out_stride = outputs, .next_rows = nullptr};
  call.scratch.reserve_own((step.kernel * padded_row + std::size_t(out.width) * kPanel) *
                           sizeof(float));
  call.team.parallel(call.images * out.height, [&](int index, int member) {
    const int image = index / out.height, y = index % out.height;
    const float* source = call.input + image * in.size() + y * step.stride * std::ptrdiff_t(in.row());
    const std::size_t start = image * out.size() + y * out.row();
    float* const scratch = call.scratch.own<float>(member);
    if (step.padding) {
      for (int row = 0; row < step.kernel; ++row) {
        float* const copy = scratch + row * padded_row;
        const int from = y * step.stride + row - step.padding;
        std::memset(copy, 0, padded_row * sizeof(float));
        if (from >= 0 && from < in.height)
          std::memcpy(copy + step.padding * in.pixel, call.input + image * in.size() + from * in.row(),
                      in.row() * sizeof(float));
      }
      source = scratch;
    }
    for (int index = 0; index < panels; ++index) {
      Product<float> p = product;
      p.panel = panel + index * panel_size;
      p.bias = step.weights->bias.data() + index * kPanel;
      const int channel = index * kPanel;
      if (channel + kPanel <= outputs && !out.half) {
        multiply(p, source, out.width, call.output + start + channel);
        continue;
      }
      // The panel is wider than what is left of a pixel, or the outputs are to be rounded.
      float* const whole = scratch + step.kernel * padded_row;
      p.out_stride = kPanel;
      multiply(p, source, out.width, whole);
      const int valid = min(kPanel, outputs - channel);
      for (int x = 0; x < out.width; ++x)
        for (int i = 0; i < valid; i += kLanes) {
          const Vector values = load(whole + x * kPanel + i);
          const std::size_t place = start + std::size_t(x) * outputs + channel + i;
          if (out.half)
            store_as(reinterpret_cast<Bf16*>(call.output) + place, values);
          else
            store(call.output + place, values);
        }
    }
  });
}

// Panels of [kernel rows][kernel columns][pixel][kPanel].
inline void pack_direct(const float* weight, int outputs, int inputs, int kernel, int pixel,
                        Weights& weights, Team& team) {
  const int panels = panels_of(outputs), area = kernel * kernel;
  const std::size_t size = std::size_t(area) * pixel * kPanel;
  weights.memory = Memory(panels * size * sizeof(float));
  weights.data = weights.memory.as<void>();
  team.parallel(outputs, [&](int output, int) {
    float* const target = weights.memory.as<float>() + output / kPanel * size + output % kPanel;
    const float* const source = weight + std::size_t(output) * inputs * area;
    for (int input = 0; input < inputs; ++input)
      for (int tap = 0; tap < area; ++tap)
        target[(std::size_t(tap) * pixel + input) * kPanel] = source[std::size_t(input) * area + tap];
  });
}

}  // namespace vggnet::VGGNET_TARGET
