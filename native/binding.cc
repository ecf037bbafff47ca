// The module vggnet._native: plans built step by step and run without the interpreter's lock.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "binding.h"
#include "cpu.h"
#include "plan.h"

using namespace vggnet;
using namespace nb::literals;

namespace {

// Weights, what they were made for, and the array that they lie in where they are used in place.
struct Packed : Weights {
  Kind kind = Kind::kCount;
  const Kernels* kernels = nullptr;  // null: any
  int outputs = 0, inputs = 0, kernel = 1;
  int tile = 0;   // of Winograd's
  int pixel = 0;  // floats from one pixel of the input to the next, of direct ones
  nb::object array;
};

void check_bf16(const Kernels& kernels, bool bf16) {
  check(!bf16 || kernels.has_bf16, "this instruction set has no bf16");
}

std::vector<float> padded(const Array& bias, int outputs) {
  check(bias.ndim() == 1 && bias.shape(0) == std::size_t(outputs),
        "the bias must have one number an output");
  std::vector<float> result(round_up(outputs, 64));
  std::copy(bias.data(), bias.data() + outputs, result.begin());
  return result;
}

// What all weights of outputs, inputs and kernels have in common.
std::shared_ptr<Packed> packed(Kind kind, const Kernels& kernels, const Array& weight,
                               const Array& bias, bool bf16) {
  constexpr std::size_t kMost = 1 << 30;
  check_bf16(kernels, bf16);
  check(weight.shape(0) > 0 && weight.shape(1) > 0 && weight.shape(0) < kMost && weight.shape(1) < kMost,
        "the weight must have outputs and inputs, fewer than 2^30");
  auto weights = std::make_shared<Packed>();
  weights->kind = kind;
  weights->kernels = &kernels;
  weights->outputs = int(weight.shape(0));
  weights->inputs = int(weight.shape(1));
  weights->bf16 = bf16;
  weights->bias = padded(bias, weights->outputs);
  return weights;
}

std::shared_ptr<Packed> pack_winograd(const Kernels& kernels, const Array& weight,
                                      const Array& bias, int tile, bool bf16, Workspaces& workspaces) {
  check(weight.ndim() == 4 && weight.shape(2) == 3 && weight.shape(3) == 3,
        "the weight must have the shape (outputs, inputs, 3, 3)");
  check(tile == 2 || (tile >= 4 && tile <= 6), "tile must be 2, 4, 5 or 6");
  auto weights = packed(Kind::kWinograd, kernels, weight, bias, bf16);
  weights->kernel = 3;
  weights->tile = tile;
  workspaces.use([&](Workspace& workspace) {
    const Strides strides{.output = 9 * weights->inputs, .input = 9, .row = 3, .column = 1};
    kernels.pack_winograd({weight.data(), strides, weights->outputs, weights->inputs}, tile, *weights,
                          workspace.team);
  });
  return weights;
}

std::shared_ptr<Packed> pack_direct(const Kernels& kernels, const Array& weight, const Array& bias,
                                    int pixel, bool bf16, Workspaces& workspaces) {
  check(weight.ndim() == 4 && weight.shape(2) == weight.shape(3),
        "the weight must have the shape (outputs, inputs, kernel, kernel)");
  check(weight.shape(2) > 0 && weight.shape(2) < 1 << 14, "a kernel must have rows, fewer than 2^14");
  auto weights = packed(Kind::kDirect, kernels, weight, bias, bf16);
  check(pixel >= weights->inputs, "a pixel must hold all inputs");
  weights->kernel = int(weight.shape(2));
  weights->pixel = pixel;
  workspaces.use([&](Workspace& workspace) {
    kernels.pack_direct(weight.data(), weights->outputs, weights->inputs, weights->kernel, pixel,
                        *weights, workspace.team);
  });
  return weights;
}

std::shared_ptr<Packed> pack_linear(const Kernels& kernels, const Array& weight, const Array& bias,
                                    bool bf16, Workspaces& workspaces) {
  check(weight.ndim() == 2, "the weight must have the shape (outputs, inputs)");
  auto weights = packed(Kind::kLinear, kernels, weight, bias, bf16);
  if (!bf16) weights->array = nb::cast(weight);
  workspaces.use([&](Workspace& workspace) {
    kernels.pack_linear(weight.data(), weight.shape(0), weight.shape(1), *weights, workspace.team);
  });
  return weights;
}

std::shared_ptr<Packed> pack_affine(const Array& scale, const Array& shift) {
  check(scale.ndim() == 1 && scale.shape(0) < 1 << 30, "the scale must have the shape (channels,)");
  auto weights = std::make_shared<Packed>();
  const int channels = int(scale.shape(0)), space = round_up(channels, 64);
  weights->kind = Kind::kAffine;
  weights->outputs = weights->inputs = channels;
  weights->bias = padded(shift, channels);
  weights->memory = Memory(space * sizeof(float));
  weights->data = weights->memory.as<void>();
  std::copy(scale.data(), scale.data() + channels, weights->memory.as<float>());
  return weights;
}

// Products a second, the most of several runs.
double peak(const Kernels& kernels, bool bf16, Workspaces& workspaces) {
  check_bf16(kernels, bf16);
  double most = 0;
  workspaces.use([&](Workspace& workspace) {
    for (int repeat = 0; repeat < 10; ++repeat) {
      const auto start = std::chrono::steady_clock::now();
      const double products = kernels.peak(bf16, workspace.team, workspace.scratch);
      const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
      most = std::max(most, products / taken.count());
    }
  });
  return most;
}

Map output_map(const Map& in, int channels, int kernel, int stride, int padding) {
  check(kernel > 0 && stride > 0 && padding >= 0 && padding < 1 << 24,
        "a kernel and a stride must be at least 1, a padding at least 0");
  const int height = (in.height + 2 * padding - kernel) / stride + 1;
  const int width = (in.width + 2 * padding - kernel) / stride + 1;
  check(in.height + 2 * padding >= kernel && in.width + 2 * padding >= kernel,
        "the kernel is larger than the map");
  return {channels, height, width, round_up(channels, kChannelBlock)};
}

// Weights that were made for something else would be read beyond their end.
void add(Plan& plan, const Step& step, std::shared_ptr<Packed> weights = nullptr) {
  const Map& in = plan.last();
  check(!in.half || step.kind == Kind::kWinograd, "this step does not read bf16");
  const bool any_pixel = step.kind == Kind::kImport || step.kind == Kind::kDirect || step.kind == Kind::kExport;
  check(any_pixel || in.pixel % kChannelBlock == 0, "this step does not read pixels of three numbers");
  check_bf16(plan.kernels(), step.output.half);
  if (weights) {
    check(weights->kind == step.kind, "the weights are of another kind of step");
    check(!weights->kernels || weights->kernels == &plan.kernels(),
          "the weights are of another instruction set");
    const bool windows = step.kind == Kind::kLinear;  // each input is a channel of one of its pixels
    const std::int64_t inputs = std::int64_t(in.channels) * (windows ? step.kernel * step.kernel : 1);
    check(inputs == weights->inputs, "the weights do not have an input for each of the map's channels");
    check(weights->pixel == 0 || weights->pixel == in.pixel, "the weights are of another pixel");
  }
  plan.add(step, std::move(weights));
}

Plan& winograd(Plan& plan, std::shared_ptr<Packed> weights, bool relu, bool pool, bool half) {
  check(!pool || weights->tile % 2 == 0, "the tile cuts through windows of the pool");
  Step step{.kind = Kind::kWinograd, .output = output_map(plan.last(), weights->outputs, 3, 1, 1),
            .kernel = 3, .padding = 1, .tile = weights->tile, .relu = relu, .pool = pool};
  if (pool) step.output = output_map(step.output, weights->outputs, 2, 2, 0);
  step.output.half = half;
  add(plan, step, weights);
  return plan;
}

Plan& direct(Plan& plan, std::shared_ptr<Packed> weights, int stride, int padding, bool relu,
             bool half) {
  const int kernel = weights->kernel;
  Step step{.kind = Kind::kDirect,
            .output = output_map(plan.last(), weights->outputs, kernel, stride, padding),
            .kernel = kernel, .stride = stride, .padding = padding, .relu = relu};
  step.output.half = half;
  add(plan, step, weights);
  return plan;
}

// A fully connected layer over windows of kernel x kernel pixels.
Plan& linear(Plan& plan, std::shared_ptr<Packed> weights, int kernel, bool relu) {
  add(plan, {.kind = Kind::kLinear, .output = output_map(plan.last(), weights->outputs, kernel, 1, 0),
            .kernel = kernel, .relu = relu}, weights);
  return plan;
}

Plan& max_pool(Plan& plan, int kernel, int stride) {
  add(plan, {.kind = Kind::kMaxPool,
            .output = output_map(plan.last(), plan.last().channels, kernel, stride, 0),
            .kernel = kernel, .stride = stride});
  return plan;
}

Plan& average(Plan& plan) {
  Map out = plan.last();
  out.height = out.width = 1;
  add(plan, {.kind = Kind::kAverage, .output = out});
  return plan;
}

Plan& same(Plan& plan, Kind kind, std::shared_ptr<Packed> weights = nullptr, bool relu = false) {
  add(plan, {.kind = kind, .output = plan.last(), .relu = relu}, weights);
  return plan;
}

// How many images there are, all of the shape that the plan was made for.
int count_of(const Plan& plan, const Array& images) {
  const Map& image = plan.steps().front().output;
  check(images.ndim() == 4 && images.shape(1) == std::size_t(image.channels) &&
            images.shape(2) == std::size_t(image.height) && images.shape(3) == std::size_t(image.width),
        "the images do not have the shape that the plan was made for");
  check(images.shape(0) < 1 << 30, "there are too many images for one call");
  return int(images.shape(0));
}

void run(const Plan& plan, const Array& images, const std::vector<Output>& outputs,
         Workspaces& workspaces) {
  const int count = count_of(plan, images);
  const std::vector<std::size_t> sizes = plan.output_sizes();
  check(outputs.size() == sizes.size(), "one array is needed for each output of the plan");
  std::vector<float*> targets;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    check(outputs[i].size() == count * sizes[i], "an output array has the wrong size");
    targets.push_back(outputs[i].data());
  }
  if (count == 0) return;
  workspaces.use([&](Workspace& workspace) {
    plan.run(images.data(), count, targets, workspace);
  });
}

std::vector<double> time_steps(const Plan& plan, const Array& images, int repeats,
                               Workspaces& workspaces) {
  const int count = count_of(plan, images);
  check(count > 0 && repeats > 0, "there must be images and repeats");
  std::vector<double> seconds;
  workspaces.use([&](Workspace& workspace) {
    seconds = plan.time_steps(images.data(), count, repeats, workspace);
  });
  return seconds;
}

}  // namespace

NB_MODULE(_native, module) {
  module.doc() = "3x3 convolutions by Winograd's algorithm, and what else a VGG is made of.";
  nb::set_leak_warnings(false);  // an engine may live until the process ends
  nb::class_<Packed>(module, "Weights", "Weights in the order in which a kernel reads them.")
      .def_prop_ro("bytes", [](const Packed& weights) { return weights.memory.bytes(); },
                   "Memory of its own; 0 where an array is used in place.");
  nb::class_<Workspaces>(module, "Workspaces", "Threads and buffers, one set a concurrent caller.")
      .def(nb::init<int>(), "threads"_a)
      .def(nb::init<int, const std::string&>(), "threads"_a, "openmp_of"_a,
           "Threads of the OpenMP runtime that a loaded library, given by its path, computes with; "
           "of its own where it has none.")
      .def_prop_ro("threads", &Workspaces::threads);
  nb::class_<Kernels> kernels(module, "Kernels", "What is compiled for one instruction set.");
  bind_training(module, kernels);
  kernels
      .def_prop_ro("name", [](const Kernels& kernels) { return kernels.name; })
      .def_ro("has_bf16", &Kernels::has_bf16)
      .def("winograd", pack_winograd, "weight"_a.noconvert(), "bias"_a.noconvert(), "tile"_a, "bf16"_a, "workspaces"_a)
      .def("direct", pack_direct, "weight"_a.noconvert(), "bias"_a.noconvert(), "pixel"_a, "bf16"_a, "workspaces"_a)
      .def("linear", pack_linear, "weight"_a.noconvert(), "bias"_a.noconvert(), "bf16"_a, "workspaces"_a)
      .def("peak", peak, "bf16"_a, "workspaces"_a);
  module.def("affine", pack_affine, "scale"_a.noconvert(), "shift"_a.noconvert());
  module.def("kernels", find_kernels, "name"_a, nb::rv_policy::reference);
  module.def("instruction_sets", [] {
    std::vector<std::string> names;
    for (const Kernels* each : available_kernels()) names.emplace_back(each->name);
    return names;
  });
  nb::class_<Plan>(module, "Plan", "Steps for pictures of one size, each on the output before it.")
      .def("__init__", [](Plan* plan, const Kernels& kernels, int height, int width, int pixel) {
             check(height > 0 && width > 0, "a picture must have pixels");
             check(pixel == 3 || pixel == kChannelBlock, "a pixel must be of 3 or 16 numbers");
             new (plan) Plan(kernels, {3, height, width, pixel});
             same(*plan, Kind::kImport);
           }, "kernels"_a, "height"_a, "width"_a, "pixel"_a)
      .def("winograd", winograd, "weights"_a, "relu"_a, "pool"_a, "half"_a,
           nb::rv_policy::reference)
      .def("direct", direct, "weights"_a, "stride"_a, "padding"_a, "relu"_a, "half"_a,
           nb::rv_policy::reference)
      .def("linear", linear, "weights"_a, "kernel"_a, "relu"_a, nb::rv_policy::reference)
      .def("max_pool", max_pool, "kernel"_a, "stride"_a, nb::rv_policy::reference)
      .def("average", average, nb::rv_policy::reference)
      .def("normalise", [](Plan& plan) -> Plan& { return same(plan, Kind::kNormalise); },
           nb::rv_policy::reference)
      .def("affine", [](Plan& plan, std::shared_ptr<Packed> weights, bool relu) -> Plan& {
             return same(plan, Kind::kAffine, weights, relu);
           }, "weights"_a, "relu"_a, nb::rv_policy::reference)
      .def("rectify", [](Plan& plan) -> Plan& { return same(plan, Kind::kRelu); },
           nb::rv_policy::reference)
      .def("output", [](Plan& plan) -> Plan& { return same(plan, Kind::kExport); },
           nb::rv_policy::reference)
      .def("run", run, "images"_a.noconvert(), "outputs"_a.noconvert(), "workspaces"_a)
      .def("time_steps", time_steps, "images"_a.noconvert(), "repeats"_a, "workspaces"_a);
}
