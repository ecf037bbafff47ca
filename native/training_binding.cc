// What training computes: 3x3 convolutions of arrays as they lie, and their gradients.
#include <nanobind/stl/optional.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "binding.h"
#include "block_cache.h"

namespace vggnet {
namespace {

using namespace nb::literals;

using Kernels3x3 = nb::ndarray<const float, nb::ndim<4>, nb::device::cpu>;
using KernelsOut = nb::ndarray<float, nb::ndim<4>, nb::device::cpu>;

// maps_NHWC, whose channels fill its pixels; or pictures, of fewer than 16.
template <class Maps>
Map map_of(const Maps& maps, bool pictures = false) {
  check(maps.ndim() == 4 && maps.size() > 0, "maps must have the shape (images, rows, columns, channels)");
  check(maps.shape(3) % kChannelBlock == 0 || (pictures && maps.shape(3) < kChannelBlock),
        "channels must be a multiple of 16");
  const double numbers = double(maps.shape(1) + 2) * double(maps.shape(2) + 2) * double(maps.shape(3));
  check(numbers <= std::numeric_limits<int>::max() && maps.shape(0) < 1 << 30,
        "maps are too large for the native engine");
  return {int(maps.shape(3)), int(maps.shape(1)), int(maps.shape(2)), int(maps.shape(3))};
}

template <class Weight>
Strides strides_of(const Weight& weight, const Map& in, const Map& out) {
  check(weight.shape(0) == std::size_t(out.channels) && weight.shape(1) == std::size_t(in.channels) &&
            weight.shape(2) == 3 && weight.shape(3) == 3,
        "the weight must have the shape (outputs, inputs, 3, 3)");
  return {weight.stride(0), weight.stride(1), weight.stride(2), weight.stride(3)};
}

void check_maps(const Map& in, const Map& out, std::size_t images, std::size_t images_out, int tile) {
  check((tile == 0) == (in.channels < kChannelBlock), "tile must be 0 for pictures, and only for them");
  check(images == images_out && in.height == out.height && in.width == out.width,
        "inputs and outputs must have as many images, rows and columns");
  check(tile == 0 || tile == 2 || (tile >= 4 && tile <= 6), "tile must be 2, 4, 5 or 6");
}

void convolve(const Kernels& kernels, const Array& inputs, const Kernels3x3& weight, bool turned,
              const std::optional<Array>& bias, int tile, bool relu, const Output& outputs,
              Workspaces& workspaces) {
  const Map in = map_of(inputs, true), out = map_of(outputs);
  check_maps(in, out, inputs.shape(0), outputs.shape(0), tile);
  const float* numbers = weight.data();
  Strides strides;
  if (turned) {
    strides = strides_of(weight, out, in);
    numbers += 2 * (strides.row + strides.column);
    strides = {strides.input, strides.output, -strides.row, -strides.column};
  } else {
    strides = strides_of(weight, in, out);
  }
  check(tile || (strides.column == 1 && strides.row == 3 && strides.input == 9 &&
                 strides.output == 9 * in.channels),
        "the weight of pictures must be contiguous");
  check(!bias || (bias->ndim() == 1 && bias->shape(0) == std::size_t(out.channels)),
        "the bias must have one number an output");
  workspaces.use([&](Workspace& workspace) {
    Weights& packed = workspace.kernels;
    packed.bias.assign(round_up(out.channels, 64), 0);
    if (bias) std::copy(bias->data(), bias->data() + out.channels, packed.bias.begin());
    const Kind kind = tile ? Kind::kWinograd : Kind::kDirect;
    if (tile)
      kernels.pack_winograd(numbers, strides, out.channels, in.channels, tile, packed, workspace.team);
    else
      kernels.pack_direct(weight.data(), out.channels, in.channels, 3, in.pixel, packed, workspace.team);
    const Step step{.kind = kind, .input = in, .output = out, .kernel = 3, .padding = 1,
                    .tile = tile, .relu = relu, .weights = &packed};
    kernels.run[int(kind)](step, {inputs.data(), outputs.data(), int(inputs.shape(0)), workspace.team,
                                  workspace.scratch});
  });
}

void convolve_gradient(const Kernels& kernels, const Array& inputs, const Array& output_gradients,
                       int tile, const KernelsOut& weight, const std::optional<Output>& bias,
                       Workspaces& workspaces) {
  const Map in = map_of(inputs, true), out = map_of(output_gradients);
  check_maps(in, out, inputs.shape(0), output_gradients.shape(0), tile);
  const Strides strides = strides_of(weight, in, out);
  check(!bias || (bias->ndim() == 1 && bias->shape(0) == std::size_t(out.channels)),
        "the bias must have one number an output");
  workspaces.use([&](Workspace& workspace) {
    kernels.kernel_gradient({.input = in, .output = out, .tile = tile, .inputs = inputs.data(),
                             .output_gradients = output_gradients.data(),
                             .images = int(inputs.shape(0)), .weight = weight.data(),
                             .strides = strides, .bias = bias ? bias->data() : nullptr,
                             .team = workspace.team, .scratch = workspace.scratch});
  });
}

using Vector = nb::ndarray<float, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

void check_channels(const Vector& vector, const Map& map) {
  check(vector.shape(0) == std::size_t(map.channels), "a vector must have one number a channel");
}

Map pooled(Map map, bool pool) {
  if (pool) map.height /= 2, map.width /= 2;
  return map;
}

void check_same(const Map& map, std::size_t images, const Map& other, std::size_t other_images) {
  check(map.channels == other.channels && map.height == other.height && map.width == other.width &&
            images == other_images,
        "maps must have the shape that goes with the others'");
}

// scale_C and shift_C that bring z_NHWC to mean 0 and variance 1 and apply weight and bias; mean_C and
// the biased variance_C.
void normalisation(const Kernels& kernels, const Array& z, const Vector& weight, const Vector& bias,
                   double epsilon, const Vector& mean, const Vector& variance, const Vector& scale,
                   const Vector& shift, Workspaces& workspaces) {
  const Map map = map_of(z);
  for (const Vector* each : {&weight, &bias, &mean, &variance, &scale, &shift}) check_channels(*each, map);
  const double count = double(z.size()) / map.channels;
  workspaces.use([&](Workspace& workspace) {
    std::vector<double> sums(2 * map.channels);
    // Any number near the mean will do to keep squares small.
    std::copy(z.data(), z.data() + map.channels, shift.data());
    kernels.statistics({.map = map, .images = int(z.shape(0)), .z = z.data(), .mean = shift.data(),
                        .sums = sums.data(), .team = workspace.team, .scratch = workspace.scratch});
    for (int channel = 0; channel < map.channels; ++channel) {
      const double offset = sums[channel] / count;
      const double of_squares = sums[map.channels + channel] / count - offset * offset;
      const double centre = shift.data()[channel] + offset, spread = std::max(of_squares, 0.0);
      const double factor = weight.data()[channel] / std::sqrt(spread + epsilon);
      mean.data()[channel] = float(centre);
      variance.data()[channel] = float(spread);
      scale.data()[channel] = float(factor);
      shift.data()[channel] = float(bias.data()[channel] - centre * factor);
    }
  });
}

void activate(const Kernels& kernels, const Array& z, const Vector& scale, const Vector& shift, bool pool,
              const Output& y, Workspaces& workspaces) {
  const Map map = map_of(z);
  for (const Vector* each : {&scale, &shift}) check_channels(*each, map);
  check_same(pooled(map, pool), z.shape(0), map_of(y), y.shape(0));
  workspaces.use([&](Workspace& workspace) {
    kernels.activate({.map = map, .images = int(z.shape(0)), .pool = pool, .z = z.data(),
                      .scale = scale.data(), .shift = shift.data(), .output = y.data(),
                      .team = workspace.team, .scratch = workspace.scratch});
  });
}

// Without batch normalisation, which is where `mean` is none, scale must be 1 and shift 0.
void activate_gradient(const Kernels& kernels, const Array& gradient, const Array& z,
                       const Vector& scale, const Vector& shift, bool pool,
                       const std::optional<Vector>& mean, const std::optional<Vector>& variance,
                       double epsilon, const std::optional<Vector>& of_weight,
                       const std::optional<Vector>& of_bias, const Output& of_z, Workspaces& workspaces) {
  const Map map = map_of(z);
  for (const Vector* each : {&scale, &shift}) check_channels(*each, map);
  check_same(pooled(map, pool), z.shape(0), map_of(gradient), gradient.shape(0));
  check_same(map, z.shape(0), map_of(of_z), of_z.shape(0));
  check(!mean || (variance && of_weight && of_bias), "with a mean there must be what goes with it");
  if (mean)
    for (const auto* each : {&mean, &variance, &of_weight, &of_bias}) check_channels(**each, map);
  const double count = double(z.size()) / map.channels;
  workspaces.use([&](Workspace& workspace) {
    std::vector<double> sums(2 * map.channels);
    std::vector<float> slope(map.channels), constant(map.channels);
    Activation activation{.map = map, .images = int(z.shape(0)), .pool = pool, .z = z.data(),
                          .gradient = gradient.data(), .scale = scale.data(), .shift = shift.data(),
                          .output = of_z.data(), .sums = sums.data(), .team = workspace.team,
                          .scratch = workspace.scratch};
    if (mean) {
      activation.mean = mean->data();
      kernels.activation_sums(activation);
      for (int channel = 0; channel < map.channels; ++channel) {
        const double inverse = 1 / std::sqrt(variance->data()[channel] + epsilon);
        const double of_normalised = sums[map.channels + channel] * inverse;
        const double factor = scale.data()[channel];
        of_bias->data()[channel] = float(sums[channel]);
        of_weight->data()[channel] = float(of_normalised);
        slope[channel] = float(-factor * inverse * of_normalised / count);
        constant[channel] = float(-factor * sums[channel] / count);
      }
      activation.slope = slope.data();
      activation.constant = constant.data();
    }
    kernels.activation_gradient(activation);
  });
}

// The interpreter's lock guards it. Arrays may live as long as the process, and so does it.
BlockCache& blocks() {
  static BlockCache& blocks = *new BlockCache;
  return blocks;
}

nb::ndarray<nb::numpy, float> empty(std::size_t numbers) {
  check(numbers > 0, "an array must hold a number");
  void* const block = blocks().take(numbers * sizeof(float));
  const nb::capsule owner(block, [](void* block) noexcept { blocks().give(block); });
  return {static_cast<float*>(block), {numbers}, owner};
}

}  // namespace

void bind_training(nb::module_& module, nb::class_<Kernels>& kernels) {
  module.def("empty", empty, "numbers"_a,
             "An array of float32, whatever is in it, of memory that is used again when it goes.");
  kernels
      .def("convolve", convolve, "inputs"_a.noconvert(), "weight"_a.noconvert(), "turned"_a,
           "bias"_a.noconvert().none(), "tile"_a, "relu"_a, "outputs"_a.noconvert(), "workspaces"_a,
           "3x3 convolution, stride 1 and padding 1, of maps_NHWC; with `turned` that with the kernels "
           "turned by 180 degrees from outputs to inputs, which is the gradient of the inputs.")
      .def("convolve_gradient", convolve_gradient, "inputs"_a.noconvert(),
           "output_gradients"_a.noconvert(), "tile"_a, "weight"_a.noconvert(),
           "bias"_a.noconvert().none(), "workspaces"_a,
           "Writes the gradients of its weight and bias.")
      .def("normalisation", normalisation, "z"_a.noconvert(), "weight"_a.noconvert(),
           "bias"_a.noconvert(), "epsilon"_a, "mean"_a.noconvert(), "variance"_a.noconvert(),
           "scale"_a.noconvert(), "shift"_a.noconvert(), "workspaces"_a)
      .def("activate", activate, "z"_a.noconvert(), "scale"_a.noconvert(), "shift"_a.noconvert(),
           "pool"_a, "y"_a.noconvert(), "workspaces"_a)
      .def("activate_gradient", activate_gradient, "gradient"_a.noconvert(), "z"_a.noconvert(),
           "scale"_a.noconvert(), "shift"_a.noconvert(), "pool"_a, "mean"_a.noconvert().none(),
           "variance"_a.noconvert().none(), "epsilon"_a, "of_weight"_a.noconvert().none(),
           "of_bias"_a.noconvert().none(), "of_z"_a.noconvert(), "workspaces"_a);
}

}  // namespace vggnet
