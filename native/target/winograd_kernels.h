// 3x3 kernels -> panels of transformed ones, in the order in which winograd.h multiplies by them.
//
// Training does so at every step: numbers are gathered, and kernels written, as fast as they are
// transformed.
#pragma once

#include "product.h"
#include "transform.h"

namespace vggnet::VGGNET_TARGET {

typedef float Four __attribute__((vector_size(16)));
typedef float UnalignedFour __attribute__((vector_size(16), aligned(4)));

// Numbers of a and b, which are counted on from 4.
template <int kFirst, int kSecond, int kThird, int kFourth>
inline Four choose(Four a, Four b) {
#if defined(__clang__)
  return __builtin_shufflevector(a, b, kFirst, kSecond, kThird, kFourth);
#else
  typedef int Order __attribute__((vector_size(16)));
  return __builtin_shuffle(a, b, Order{kFirst, kSecond, kThird, kFourth});
#endif
}

// to[place][lane] = from[lane][place], four by four: numbers one by one take as long as the transforms.
inline void transpose(const float* from, std::ptrdiff_t from_lane, int lanes, int places, float* to,
                      std::ptrdiff_t to_place) {
  const auto one = [&](int lane, int place) { to[place * to_place + lane] = from[lane * from_lane + place]; };
  int lane = 0;
  for (; lane + 4 <= lanes; lane += 4) {
    const float* const source = from + lane * from_lane;
    int place = 0;
    for (; place + 4 <= places; place += 4) {
      const auto row = [&](int i) { return (Four) * (const UnalignedFour*)(source + i * from_lane + place); };
      const auto put = [&](int i, Four four) {
        *(UnalignedFour*)(to + (place + i) * to_place + lane) = (UnalignedFour)four;
      };
      const Four a = row(0), b = row(1), c = row(2), d = row(3);
      const Four ab = choose<0, 4, 1, 5>(a, b), cd = choose<0, 4, 1, 5>(c, d);
      put(0, choose<0, 1, 4, 5>(ab, cd));
      put(1, choose<2, 3, 6, 7>(ab, cd));
      const Four later_ab = choose<2, 6, 3, 7>(a, b), later_cd = choose<2, 6, 3, 7>(c, d);
      put(2, choose<0, 1, 4, 5>(later_ab, later_cd));
      put(3, choose<2, 3, 6, 7>(later_ab, later_cd));
    }
    for (; place < places; ++place)
      for (int i = 0; i < 4; ++i) one(lane + i, place);
  }
  for (; lane < lanes; ++lane)
    for (int place = 0; place < places; ++place) one(lane, place);
}

// gathered[input][tap][lane] of `inputs` inputs and `lanes` outputs, in the order in which they lie.
inline void gather_kernels(const float* source, const Strides& s, int inputs, int lanes,
                           float (*gathered)[9][kPanel]) {
  const auto offset = [&](int tap) { return tap / 3 * s.row + tap % 3 * s.column; };
  if (s.output == 1) {
    for (int input = 0; input < inputs; ++input)
      for (int tap = 0; tap < 9; ++tap)
        std::memcpy(gathered[input][tap], source + input * s.input + offset(tap), lanes * sizeof(float));
  } else if (s.input == 1) {
    for (int tap = 0; tap < 9; ++tap)
      transpose(source + offset(tap), s.output, lanes, inputs, gathered[0][tap], 9 * kPanel);
  } else if (s.column == 1 && s.row == 3) {
    for (int input = 0; input < inputs; ++input)
      transpose(source + input * s.input, s.output, lanes, 9, gathered[input][0], kPanel);
  } else if (s.column == -1 && s.row == -3) {
    for (int input = 0; input < inputs; ++input)
      transpose(source + input * s.input - 8, s.output, lanes, 9, gathered[input][8], -kPanel);
  } else {
    for (int lane = 0; lane < lanes; ++lane)
      for (int input = 0; input < inputs; ++input)
        for (int tap = 0; tap < 9; ++tap)
          gathered[input][tap][lane] = source[lane * s.output + input * s.input + offset(tap)];
  }
}

// Panels of [points][depth / pair][kPanel][pair], `point` elements from a point to the next; inputs and
// outputs filled up with zeros. This is of one panel the part of kPackedInputs inputs from `first` on.
//
// In float32 the transforms add less than a tenth to the error of all the others.
constexpr int kPackedInputs = kChannelBlock;
template <int kTile, class Element>
void pack_inputs(const PlainKernels& kernels, int panel, int first, int depth, std::ptrdiff_t point,
                 Element* target) {
  constexpr int kSide = kTile + 2;
  const int count = min(kPackedInputs, kernels.inputs - first);
  const int valid = min(kPanel, kernels.outputs - panel * kPanel);
  const Strides& strides = kernels.strides;
  float gathered[kPackedInputs][9][kPanel];
  if (count < kPackedInputs || valid < kPanel) std::memset(gathered, 0, sizeof gathered);
  gather_kernels(kernels.numbers + panel * kPanel * strides.output + first * strides.input, strides, count,
                 valid, gathered);
  for (int input = 0; input < min(kPackedInputs, depth - first); ++input)
    for (int lanes = 0; lanes < kPanel; lanes += kLanes) {
      Vector half[3][kSide];  // transformed along x
#pragma GCC unroll 3
      for (int y = 0; y < 3; ++y) {
        Vector g[3];
#pragma GCC unroll 3
        for (int x = 0; x < 3; ++x) g[x] = load(&gathered[input][3 * y + x][lanes]);
        Transform<kTile>::kernel(g, half[y]);
      }
      const int channel = first + input;
      Element* column = target + (channel / kPair<Element> * kPair<Element>) * kPanel +
                        lanes * kPair<Element> + channel % kPair<Element>;
      for (int x = 0; x < kSide; ++x, column += point) {
        Vector g[3] = {half[0][x], half[1][x], half[2][x]}, u[kSide];
        Transform<kTile>::kernel(g, u);
        Element* cell = column;
#pragma GCC unroll 8
        for (int y = 0; y < kSide; ++y, cell += kSide * point) {
          asm("" : "+r"(cell));  // or else the compiler keeps a pointer to each point, in memory
          if constexpr (kPair<Element> == 1)
            store(cell, u[y]);
          else
#pragma GCC unroll 1
            for (int lane = 0; lane < kLanes; ++lane) cell[lane * kPair<Element>] = round_to_bf16(u[y][lane]);
        }
      }
    }
}

// All panels; `target` has room for them.
template <int kTile, class Element>
void pack_panels(const PlainKernels& kernels, int depth, std::ptrdiff_t point, Element* target,
                 Team& team) {
  constexpr int kPoints = (kTile + 2) * (kTile + 2);
  const int slices = (depth + kPackedInputs - 1) / kPackedInputs;
  team.parallel(panels_of(kernels.outputs) * slices, [&](int index, int) noexcept {
    const int panel = index / slices;
    pack_inputs<kTile>(kernels, panel, index % slices * kPackedInputs, depth, point,
                       target + std::size_t(panel) * kPoints * point);
  });
}

template <int kTile, class Element>
void pack_winograd(const PlainKernels& kernels, Weights& weights, Team& team) {
  constexpr int kPoints = (kTile + 2) * (kTile + 2);
  const int depth = round_up(kernels.inputs, kChannelBlock);
  const std::ptrdiff_t point = std::ptrdiff_t(depth) * kPanel;
  weights.memory = Memory(panels_of(kernels.outputs) * std::size_t(kPoints) * point * sizeof(Element));
  weights.data = weights.memory.as<void>();
  pack_panels<kTile>(kernels, depth, point, weights.memory.as<Element>(), team);
}

}  // namespace vggnet::VGGNET_TARGET
