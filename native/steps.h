// What a plan is made of: maps, packed weights, steps, and the table of kernels that run them.
//
// Activations are float32 with the channels of a pixel side by side (NHWC), filled up with zeros
// to a multiple of kChannelBlock; the picture itself has its three channels and no more. Between
// convolutions whose products are in bf16 they may be bf16 too, which halves what is moved.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "memory.h"
#include "team.h"

namespace vggnet {

constexpr int kChannelBlock = 16;  // a multiple of every target's vector length

using Bf16 = std::uint16_t;  // the upper half of a float32

constexpr int round_up(int number, int multiple) {
  return (number + multiple - 1) / multiple * multiple;
}

// The activations of one picture.
struct Map {
  int channels = 0, height = 0, width = 0;
  int pixel = 0;  // numbers from one pixel to the next
  bool half = false;  // whether they are bf16

  std::size_t row() const { return std::size_t(width) * pixel; }
  std::size_t size() const { return height * row(); }
  std::size_t bytes() const { return size() * (half ? sizeof(Bf16) : sizeof(float)); }
};

// How 3x3 kernels lie in memory: numbers from one output, input, row or column to the next. Where
// these are negative, the kernels are read from their end.
struct Strides {
  std::ptrdiff_t output, input, row, column;
};

// 3x3 kernels of somebody else's array.
struct PlainKernels {
  const float* numbers = nullptr;
  Strides strides{};
  int outputs = 0, inputs = 0;
};

// Weights in the order in which a kernel reads them, in float32 or bf16; the bias in float32.
struct Weights {
  Memory memory;                 // unused where `data` lies in somebody else's array
  const void* data = nullptr;
  PlainKernels plain;            // of Winograd's, where they are not packed yet: it does so itself
  std::vector<float> bias;       // filled up with zeros to whole panels
  bool bf16 = false;
};

enum class Kind { kImport, kWinograd, kDirect, kLinear, kMaxPool, kAverage, kNormalise, kAffine,
                  kRelu, kExport, kCount };

struct Step {
  Kind kind;
  Map input, output;
  int kernel = 1, stride = 1, padding = 0;  // in pixels of the input
  int tile = 0;                             // side of the tile of outputs that Winograd computes
  bool relu = false, pool = false;          // applied to the outputs; the pool is 2x2, stride 2
  const Weights* weights = nullptr;
};

// Buffers that stay with a caller from call to call, so that nothing is allocated twice.
class Scratch {
 public:
  explicit Scratch(int members) : own_(members) {}
  template <class Element>
  Element* shared(std::size_t count) {
    shared_.reserve(count * sizeof(Element));
    return shared_.as<Element>();
  }
  template <class Element>
  Element* packed(std::size_t count) {
    packed_.reserve(count * sizeof(Element));
    return packed_.as<Element>();
  }
  // Before the members start, so that none of them has to allocate.
  void reserve_own(std::size_t bytes);
  template <class Element>
  Element* own(int member) const {
    return own_[member].as<Element>();
  }

 private:
  Memory shared_, packed_;
  std::vector<Memory> own_;
};

// One run of a step over some pictures.
struct Call {
  const float* input;
  float* output;
  int images;
  Team& team;
  Scratch& scratch;
};

// What is wanted of a 3x3 convolution, stride 1 and padding 1, of which the gradient with respect to
// its outputs is known; either target may be null. Maps are float32, their pixels without filling, of
// any number of channels from kChannelBlock on.
struct KernelGradient {
  Map input, output;
  int tile;  // of Winograd's; 0: by the definition, where inputs may have fewer channels
  const float* inputs;
  const float* output_gradients;
  int images;
  float* weight;
  Strides strides;
  float* bias;
  Team& team;
  Scratch& scratch;
};

// What follows a convolution's outputs z in training: y = pool(relu(z * scale + shift)) by channel, its
// gradient and what batch normalisation sums up. The pool is 2x2, stride 2. A map's pixels are without
// filling, of any number of channels from kChannelBlock on; vectors have a number a channel, `sums`
// two. What each function reads stands with it.
struct Activation {
  Map map;  // of z
  int images;
  bool pool;
  const float *z, *gradient;  // the latter with respect to y
  const float *scale, *shift, *mean, *slope, *constant;
  float* output;  // y, or the gradient with respect to z
  double* sums;
  Team& team;
  Scratch& scratch;
};

// Everything that is compiled once for each instruction set.
struct Kernels {
  const char* name;
  bool has_bf16;
  void (*run[int(Kind::kCount)])(const Step&, const Call&);
  // 3x3 kernels to panels of transformed ones.
  void (*pack_winograd)(const PlainKernels&, int tile, Weights&, Team&);
  void (*kernel_gradient)(const KernelGradient&);
  void (*statistics)(const Activation&);
  void (*activate)(const Activation&);
  void (*activation_sums)(const Activation&);
  void (*activation_gradient)(const Activation&);
  // weight_OCYX to panels; `pixel` floats of the input lie between its pixels.
  void (*pack_direct)(const float* weight, int outputs, int inputs, int kernel, int pixel, Weights&,
                      Team&);
  void (*pack_linear)(const float* weight, std::size_t outputs, std::size_t inputs, Weights&, Team&);
  // Does nothing but products, as many as it says, with all members.
  double (*peak)(bool bf16, Team&, Scratch&);
};

}  // namespace vggnet
