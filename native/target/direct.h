// Convolutions of any kernel, stride and padding, by the definition.
//
// In float32 the inputs under one row of a kernel lie side by side, so that an output pixel is the
// product of `kernel` segments of its input rows with the kernels; rows are copied only where
// padding has to be put around them. In bf16 the inputs are rounded, which is a copy anyway, and
// laid out window by window.
#pragma once

#include "product.h"

namespace vggnet::VGGNET_TARGET {

// Depth of a product and segments in it, for windows of `kernel` rows of `kernel` pixels.
template <class Element>
constexpr int depth_of(int kernel, int pixel) {
  return sizeof(Element) == sizeof(float) ? kernel * pixel : round_up(kernel * kernel * pixel, 2);
}
template <class Element>
constexpr int segments_of(int kernel) {
  return sizeof(Element) == sizeof(float) ? kernel : 1;
}

// Input rows `top` and following, as many as the kernel has, with zeros around them.
template <class Element>
inline void copy_rows(const Step& step, const float* image, int top, Element* rows) {
  const Map& in = step.input;
  const int length = int(in.row()), margin = step.padding * in.pixel;
  for (int row = 0; row < step.kernel; ++row, rows += length + 2 * margin) {
    const int from = top + row;
    std::memset(rows, 0, (length + 2 * margin) * sizeof(Element));
    if (from < 0 || from >= in.height) continue;
    const float* const source = image + from * in.row();
    if constexpr (sizeof(Element) == sizeof(float)) {
      std::memcpy(rows + margin, source, length * sizeof(float));
    } else {
      int i = 0;
      for (; i + kLanes <= length; i += kLanes) store_as(rows + margin + i, load(source + i));
      for (; i < length; ++i) rows[margin + i] = round_to_bf16(source[i]);
    }
  }
}

// The window of every output pixel of one row, one after the other.
inline void gather_row(const Step& step, const Bf16* rows, std::size_t row, Bf16* windows) {
  const int width = step.kernel * step.input.pixel, depth = depth_of<Bf16>(step.kernel, step.input.pixel);
  for (int x = 0; x < step.output.width; ++x, windows += depth) {
    const Bf16* const corner = rows + std::size_t(x) * step.stride * step.input.pixel;
    for (int y = 0; y < step.kernel; ++y)
      std::memcpy(windows + y * width, corner + y * row, width * sizeof(Bf16));
    if (depth > step.kernel * width) windows[depth - 1] = 0;
  }
}

template <class Element>
void direct(const Step& step, const Call& call) {
  const Map &in = step.input, &out = step.output;
  constexpr bool kRounded = sizeof(Element) < sizeof(float);
  const int outputs = out.pixel, panels = panels_of(outputs);
  const int depth = depth_of<Element>(step.kernel, in.pixel), segments = segments_of<Element>(step.kernel);
  const std::size_t padded_row = std::size_t(in.width + 2 * step.padding) * in.pixel;
  const Element* const panel = static_cast<const Element*>(step.weights->data);
  Product<Element> product{
      .row_stride = kRounded ? depth : std::ptrdiff_t(step.stride) * in.pixel,
      .segment_stride = std::ptrdiff_t(padded_row), .segments = segments, .depth = depth,
      .panel = nullptr, .bias = nullptr, .relu = step.relu, .out_stride = outputs};
  // Of each member: a row of outputs, rows of inputs, windows. Each begins on a line of its own.
  const std::size_t whole_space = std::size_t(out.width) * kPanel;
  const std::size_t rows_space = round_up(int(step.kernel * padded_row), 64);
  const std::size_t windows_space = kRounded ? std::size_t(out.width) * depth : 0;
  call.scratch.reserve_own(whole_space * sizeof(float) + (rows_space + windows_space) * sizeof(Element));
  call.team.parallel(call.images * out.height, [&](int index, int member) {
    const int image = index / out.height, y = index % out.height;
    const float* const picture = call.input + image * in.size();
    const std::size_t start = image * out.size() + y * out.row();
    float* const whole = call.scratch.own<float>(member);
    Element* const rows = reinterpret_cast<Element*>(whole + whole_space);
    const int top = y * step.stride - step.padding;
    const Element* source = rows;
    if constexpr (kRounded) {
      copy_rows(step, picture, top, rows);
      gather_row(step, rows, padded_row, rows + rows_space);
      source = rows + rows_space;
    } else if (step.padding) {
      copy_rows(step, picture, top, rows);
    } else {
      source = picture + top * in.row();
    }
    for (int index = 0; index < panels; ++index) {
      Product<Element> p = product;
      p.panel = panel + std::size_t(index) * segments * depth * kPanel;
      p.bias = step.weights->bias.data() + index * kPanel;
      const int channel = index * kPanel;
      if (channel + kPanel <= outputs && !out.half) {
        multiply(p, source, out.width, call.output + start + channel);
        continue;
      }
      // The panel is wider than what is left of a pixel, or the outputs are to be rounded.
      p.out_stride = kPanel;
      multiply(p, source, out.width, whole);
      const int valid = min(kPanel, outputs - channel);
      as_stored(out, call.output, [&](auto* output) {
        for (int x = 0; x < out.width; ++x)
          for (int i = 0; i < valid; i += kLanes)
            store_as(output + start + std::size_t(x) * outputs + channel + i, load(whole + x * kPanel + i));
      });
    }
  });
}

// Panels of [kernel rows, columns and pixel / pair][kPanel][pair].
template <class Element>
void pack_direct(const float* weight, int outputs, int inputs, int kernel, int pixel,
                 Weights& weights, Team& team) {
  const int panels = panels_of(outputs), area = kernel * kernel;
  const std::size_t size =
      std::size_t(segments_of<Element>(kernel)) * depth_of<Element>(kernel, pixel) * kPanel;
  constexpr int kBoth = kPair<Element>;
  weights.memory = Memory(panels * size * sizeof(Element));
  weights.data = weights.memory.as<void>();
  team.parallel(outputs, [&](int output, int) {
    Element* const target = weights.memory.as<Element>() + output / kPanel * size;
    const float* const source = weight + std::size_t(output) * inputs * area;
    for (int input = 0; input < inputs; ++input)
      for (int tap = 0; tap < area; ++tap) {
        const std::size_t k = std::size_t(tap) * pixel + input;
        const float value = source[std::size_t(input) * area + tap];
        Element& cell = target[k / kBoth * kBoth * kPanel + output % kPanel * kBoth + k % kBoth];
        if constexpr (kBoth == 1)
          cell = value;
        else
          cell = round_to_bf16(value);
      }
  });
}

}  // namespace vggnet::VGGNET_TARGET
