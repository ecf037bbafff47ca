// Convolutions of any kernel, stride and padding, by the definition.
//
// The inputs under one row of a kernel lie side by side, so that an output pixel is the product of
// `kernel` segments of its input rows with the kernels. Rows are copied where padding has to be put
// around them or where they are to be rounded to bf16.
#pragma once

#include "product.h"

namespace vggnet::VGGNET_TARGET {

// Numbers of a segment. In bf16 they are taken in pairs: the last one may be of the next pixel, and
// is multiplied with zero.
template <class Element>
constexpr int depth_of(int kernel, int pixel) {
  return round_up(kernel * pixel, kPair<Element>);
}

// Input rows `top` and following, as many as the kernel has, with zeros around them.
template <class Element>
inline void copy_rows(const Step& step, const float* image, int top, Element* rows, std::ptrdiff_t row_size) {
  const Map& in = step.input;
  const int length = int(in.row()), margin = step.padding * in.pixel;
  for (int row = 0; row < step.kernel; ++row, rows += row_size) {
    const int from = top + row;
    std::memset(rows, 0, row_size * sizeof(Element));
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

template <class Element>
void direct(const Step& step, const Call& call) {
  const Map &in = step.input, &out = step.output;
  constexpr bool kRounded = sizeof(Element) < sizeof(float);
  const int outputs = out.pixel, panels = panels_of(outputs);
  const int depth = depth_of<Element>(step.kernel, in.pixel), segments = step.kernel;
  const bool copied = kRounded || step.padding;
  // With the number that the last window may have too much.
  const std::ptrdiff_t copied_row =
      std::ptrdiff_t(in.width + 2 * step.padding) * in.pixel + depth - step.kernel * in.pixel;
  const Element* const panel = static_cast<const Element*>(step.weights->data);
  const Product<Element> product{
      .row_stride = std::ptrdiff_t(step.stride) * in.pixel,
      .segment_stride = copied ? copied_row : std::ptrdiff_t(in.row()), .segments = segments,
      .depth = depth, .panel = nullptr, .bias = nullptr, .relu = step.relu, .out_stride = outputs};
  // Of each member: a row of outputs, rows of inputs.
  const std::size_t whole_space = std::size_t(out.width) * kPanel;
  call.scratch.reserve_own(whole_space * sizeof(float) + step.kernel * copied_row * sizeof(Element));
  call.team.parallel(call.images * out.height, [&](int index, int member) noexcept {
    const int image = index / out.height, y = index % out.height;
    const float* const picture = call.input + image * in.size();
    const std::size_t start = image * out.size() + y * out.row();
    float* const whole = call.scratch.own<float>(member);
    Element* const rows = reinterpret_cast<Element*>(whole + whole_space);
    const int top = y * step.stride - step.padding;
    const Element* source = rows;
    if (copied) copy_rows(step, picture, top, rows, copied_row);
    if constexpr (!kRounded)
      if (!copied) source = picture + top * in.row();
    for (int index = 0; index < panels; ++index) {
      Product<Element> p = product;
      p.panel = panel + std::size_t(index) * segments * depth * kPanel;
      p.bias = step.weights->bias.data() + index * kPanel;
      const int channel = index * kPanel;
      as_stored(out, call.output, [&](auto* output) {
        auto* const target = output + start + channel;
        if (channel + kPanel <= outputs) return multiply(p, source, out.width, target);
        p.out_stride = kPanel;  // the panel is wider than what is left of a pixel
        multiply(p, source, out.width, whole);
        for (int x = 0; x < out.width; ++x)
          for (int i = 0; i < outputs - channel; i += kLanes) {
            auto* const cells = target + std::size_t(x) * outputs + i;
            const float* const found = whole + x * kPanel + i;
            if (i + kLanes <= outputs - channel)
              store_as(cells, load(found));
            else if constexpr (sizeof(*cells) == sizeof(float))  // in bf16 pixels fill vectors
              for (int lane = 0; lane < outputs - channel - i; ++lane) cells[lane] = found[lane];
          }
      });
    }
  });
}

// Panels of [kernel rows][columns and pixel / pair][kPanel][pair].
template <class Element>
void pack_direct(const float* weight, int outputs, int inputs, int kernel, int pixel,
                 Weights& weights, Team& team) {
  const int panels = panels_of(outputs), area = kernel * kernel;
  const int depth = depth_of<Element>(kernel, pixel);
  const std::size_t size = std::size_t(kernel) * depth * kPanel;
  constexpr int kBoth = kPair<Element>;
  weights.memory = Memory(panels * size * sizeof(Element));
  weights.data = weights.memory.as<void>();
  team.parallel(outputs, [&](int output, int) noexcept {
    Element* const target = weights.memory.as<Element>() + output / kPanel * size;
    const float* const source = weight + std::size_t(output) * inputs * area;
    for (int input = 0; input < inputs; ++input)
      for (int tap = 0; tap < area; ++tap) {
        const std::size_t k = std::size_t(tap / kernel) * depth + tap % kernel * pixel + input;
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
