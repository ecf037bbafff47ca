// Fully connected layers, and the same applied to every window of a map.
//
// The weights stay in the file's order, one row an output, so that a mapped file is used in place.
// They are what takes the time to read: each is read once for all the pictures of a call.
#pragma once

#include "vector.h"

namespace vggnet::VGGNET_TARGET {

// Sums of products of one row of weights with kInputs inputs, for kOutputs rows at once.
template <int kOutputs, int kInputs>
inline void dot_products(const float* weights, std::size_t weight_stride, const float* inputs,
                         std::size_t input_stride, int depth, float* sums) {
  Vector total[kOutputs][kInputs] = {};
  int k = 0;
  for (; k + kLanes <= depth; k += kLanes) {
    Vector w[kOutputs];
#pragma GCC unroll 8
    for (int o = 0; o < kOutputs; ++o) {
      w[o] = load(weights + o * weight_stride + k);
      prefetch(weights + o * weight_stride + k, 2048);
    }
#pragma GCC unroll 8
    for (int i = 0; i < kInputs; ++i) {
      const Vector x = load(inputs + i * input_stride + k);
#pragma GCC unroll 8
      for (int o = 0; o < kOutputs; ++o) total[o][i] += w[o] * x;
    }
  }
  for (int o = 0; o < kOutputs; ++o)
    for (int i = 0; i < kInputs; ++i) {
      float rest = sum(total[o][i]);
      for (int tail = k; tail < depth; ++tail)
        rest += weights[o * weight_stride + tail] * inputs[i * input_stride + tail];
      sums[o * kInputs + i] = rest;
    }
}

#if defined(__AVX512BF16__)
template <int kOutputs, int kInputs>
inline void dot_products(const Bf16* weights, std::size_t weight_stride, const Bf16* inputs,
                         std::size_t input_stride, int depth, float* sums) {
  __m512 total[kOutputs][kInputs];
  for (int o = 0; o < kOutputs; ++o)
    for (int i = 0; i < kInputs; ++i) total[o][i] = _mm512_setzero_ps();
  for (int k = 0; k < depth; k += 2 * kLanes) {
    const int left = depth - k;
    const __mmask32 mask = left >= 2 * kLanes ? ~__mmask32{0} : (__mmask32{1} << left) - 1;
    __m512bh w[kOutputs];
#pragma GCC unroll 8
    for (int o = 0; o < kOutputs; ++o) {
      w[o] = (__m512bh)_mm512_maskz_loadu_epi16(mask, weights + o * weight_stride + k);
      prefetch(weights + o * weight_stride + k, 2048);
    }
#pragma GCC unroll 8
    for (int i = 0; i < kInputs; ++i) {
      const __m512bh x = (__m512bh)_mm512_maskz_loadu_epi16(mask, inputs + i * input_stride + k);
#pragma GCC unroll 8
      for (int o = 0; o < kOutputs; ++o) total[o][i] = _mm512_dpbf16_ps(total[o][i], w[o], x);
    }
  }
  for (int o = 0; o < kOutputs; ++o)
    for (int i = 0; i < kInputs; ++i) sums[o * kInputs + i] = sum((Vector)total[o][i]);
}
#endif

constexpr int kOutputsAtOnce = 3;
constexpr int kInputsAtOnce = kMaxRows == 12 ? 8 : 3;  // 24 or 9 sums in registers

// `inputs` rows with `outputs` rows of weights; sums are written as [outputs][inputs].
template <int kOutputs, int kInputs, class Element>
inline void dot_products_of(int num_inputs, const Element* weights, std::size_t weight_stride,
                            const Element* inputs, std::size_t input_stride, int depth, float* sums) {
  if constexpr (kInputs > 0) {
    if (num_inputs == kInputs)
      dot_products<kOutputs, kInputs>(weights, weight_stride, inputs, input_stride, depth, sums);
    else
      dot_products_of<kOutputs, kInputs - 1>(num_inputs, weights, weight_stride, inputs,
                                             input_stride, depth, sums);
  }
}

// One row an output position, `count` from `first` on: the numbers under its window in the order
// (channel, row, column).
template <class Element>
inline void gather_windows(const Step& step, const Call& call, int first, int count, Element* rows) {
  const Map &in = step.input, &out = step.output;
  const int area = step.kernel * step.kernel;
  call.team.parallel(count * in.channels, [&](int index, int) noexcept {
    const int channel = index % in.channels, position = first + index / in.channels;
    const int image = position / (out.height * out.width), pixel = position % (out.height * out.width);
    const float* const corner = call.input + image * in.size() +
                                pixel / out.width * in.row() + std::size_t(pixel % out.width) * in.pixel;
    Element* const row = rows + std::size_t(index) * area;
    for (int y = 0; y < step.kernel; ++y)
      for (int x = 0; x < step.kernel; ++x) {
        const float value = corner[y * in.row() + std::size_t(x) * in.pixel + channel];
        if constexpr (sizeof(Element) == sizeof(float))
          row[y * step.kernel + x] = value;
        else
          row[y * step.kernel + x] = round_to_bf16(value);
      }
  });
}

// `num_outputs` outputs from `output` on, at most kOutputsAtOnce, for all rows.
template <class Element>
inline void some_outputs(const Step& step, const Element* weights, const Element* rows, int num_rows,
                         int output, int num_outputs, float* target) {
  const int depth = step.input.channels * step.kernel * step.kernel;
  const Element* const w = weights + std::size_t(output) * depth;
  float sums[kOutputsAtOnce * kInputsAtOnce];
  int row = 0;
  for (int blocks = (num_rows + kInputsAtOnce - 1) / kInputsAtOnce; blocks > 0; --blocks) {
    const int batch = (num_rows - row + blocks - 1) / blocks;  // nearly equal ones
    const Element* const x = rows + std::size_t(row) * depth;
    if (num_outputs == kOutputsAtOnce)
      dot_products_of<kOutputsAtOnce, kInputsAtOnce>(batch, w, depth, x, depth, depth, sums);
    else
      for (int o = 0; o < num_outputs; ++o)
        dot_products_of<1, kInputsAtOnce>(batch, w + std::size_t(o) * depth, depth, x, depth, depth,
                                          sums + o * batch);
    for (int o = 0; o < num_outputs; ++o)
      for (int i = 0; i < batch; ++i) {
        const float value = sums[o * batch + i] + step.weights->bias[output + o];
        target[std::size_t(row + i) * step.output.pixel + output + o] =
            step.relu && value < 0 ? 0 : value;
      }
    row += batch;
  }
}

template <class Element>
void linear(const Step& step, const Call& call) {
  constexpr std::size_t kRowBytes = std::size_t{64} << 20;  // written out at a time
  constexpr int kShare = 2 * kOutputsAtOnce;                // outputs that a member takes at a time
  const Map& out = step.output;
  const int outputs = out.channels, depth = step.input.channels * step.kernel * step.kernel;
  const int positions = call.images * out.height * out.width;
  const int most = min(positions, max(1, int(kRowBytes / (depth * sizeof(Element)))));
  Element* const rows = call.scratch.shared<Element>(std::size_t(most) * depth);
  const Element* const weights = static_cast<const Element*>(step.weights->data);
  for (int first = 0; first < positions; first += most) {
    const int count = min(most, positions - first);
    gather_windows(step, call, first, count, rows);
    call.team.parallel((outputs + kShare - 1) / kShare, [&](int share, int) noexcept {
      const int last = min(outputs, (share + 1) * kShare);
      for (int output = share * kShare; output < last; output += kOutputsAtOnce)
        some_outputs(step, weights, rows, count, output, min(kOutputsAtOnce, last - output),
                     call.output + std::size_t(first) * out.pixel);
    });
  }
  for (int position = 0; position < positions; ++position)
    for (int channel = outputs; channel < out.pixel; ++channel)
      call.output[std::size_t(position) * out.pixel + channel] = 0;
}

inline void pack_linear(const float* weight, std::size_t outputs, std::size_t inputs,
                        Weights& weights, Team& team) {
  if (!weights.bf16) {
    weights.data = weight;
    return;
  }
  weights.memory = Memory(outputs * inputs * sizeof(Bf16));
  weights.data = weights.memory.as<void>();
  team.parallel(int(outputs), [&](int output, int) noexcept {
    Bf16* const target = weights.memory.as<Bf16>() + output * inputs;
    const float* const source = weight + output * inputs;
    for (std::size_t i = 0; i < inputs; ++i) target[i] = round_to_bf16(source[i]);
  });
}

}  // namespace vggnet::VGGNET_TARGET
