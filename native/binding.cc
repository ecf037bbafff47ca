// The module vggnet._native: plans built step by step and run without the interpreter's lock.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <string>

#include "cpu.h"
#include "plan.h"

namespace nb = nanobind;
using namespace nb::literals;
using namespace vggnet;

namespace {

using Array = nb::ndarray<const float, nb::c_contig, nb::device::cpu>;
using Output = nb::ndarray<float, nb::c_contig, nb::device::cpu>;

// Weights and, where they are used in place, the array that they lie in.
struct Packed : Weights {
  nb::object array;
};

// Workspaces that wait for a caller. The interpreter's lock guards the list.
class Workspaces {
 public:
  explicit Workspaces(int threads) : threads_(threads) {
    if (threads < 1) throw std::invalid_argument("threads must be at least 1");
  }
  Workspaces(const Workspaces&) = delete;
  Workspaces& operator=(const Workspaces&) = delete;

  // Calls body(workspace) without the lock.
  template <class Body>
  void use(Body&& body) {
    std::unique_ptr<Workspace> workspace;
    if (free_.empty()) {
      workspace = std::make_unique<Workspace>(threads_);
    } else {
      workspace = std::move(free_.back());
      free_.pop_back();
    }
    {
      nb::gil_scoped_release unlocked;
      body(*workspace);
    }
    free_.push_back(std::move(workspace));
  }
  int threads() const { return threads_; }

 private:
  const int threads_;
  std::vector<std::unique_ptr<Workspace>> free_;
};

std::vector<float> padded(const Array& bias, std::size_t outputs) {
  if (bias.ndim() != 1 || bias.shape(0) != outputs)
    throw std::invalid_argument("the bias must have one number an output");
  std::vector<float> result(round_up(int(outputs), 64));
  std::copy(bias.data(), bias.data() + outputs, result.begin());
  return result;
}

void check(bool fits, const char* message) {
  if (!fits) throw std::invalid_argument(message);
}

std::shared_ptr<Packed> pack_winograd(const Kernels& kernels, const Array& weight,
                                      const Array& bias, int tile, bool bf16, Workspaces& workspaces) {
  check(weight.ndim() == 4 && weight.shape(2) == 3 && weight.shape(3) == 3,
        "the weight must have the shape (outputs, inputs, 3, 3)");
  check(tile == 2 || tile == 4 || tile == 6, "tile must be 2, 4 or 6");
  check(!bf16 || kernels.has_bf16, "this instruction set has no products in bf16");
  auto weights = std::make_shared<Packed>();
  weights->bf16 = bf16;
  weights->bias = padded(bias, weight.shape(0));
  workspaces.use([&](Workspace& workspace) {
    kernels.pack_winograd(weight.data(), int(weight.shape(0)), int(weight.shape(1)), tile, *weights,
                          workspace.team);
  });
  return weights;
}

std::shared_ptr<Packed> pack_direct(const Kernels& kernels, const Array& weight, const Array& bias,
                                    int pixel, bool bf16, Workspaces& workspaces) {
  check(weight.ndim() == 4 && weight.shape(2) == weight.shape(3),
        "the weight must have the shape (outputs, inputs, kernel, kernel)");
  check(!bf16 || kernels.has_bf16, "this instruction set has no products in bf16");
  check(pixel >= int(weight.shape(1)), "a pixel must hold all inputs");
  auto weights = std::make_shared<Packed>();
  weights->bf16 = bf16;
  weights->bias = padded(bias, weight.shape(0));
  workspaces.use([&](Workspace& workspace) {
    kernels.pack_direct(weight.data(), int(weight.shape(0)), int(weight.shape(1)),
                        int(weight.shape(2)), pixel, *weights, workspace.team);
  });
  return weights;
}

std::shared_ptr<Packed> pack_linear(const Kernels& kernels, const Array& weight, const Array& bias,
                                    bool bf16, Workspaces& workspaces) {
  check(weight.ndim() == 2, "the weight must have the shape (outputs, inputs)");
  check(!bf16 || kernels.has_bf16, "this instruction set has no products in bf16");
  auto weights = std::make_shared<Packed>();
  weights->bf16 = bf16;
  weights->bias = padded(bias, weight.shape(0));
  if (!bf16) weights->array = nb::cast(weight);
  workspaces.use([&](Workspace& workspace) {
    kernels.pack_linear(weight.data(), weight.shape(0), weight.shape(1), *weights, workspace.team);
  });
  return weights;
}

std::shared_ptr<Packed> pack_affine(const Array& scale, const Array& shift) {
  auto weights = std::make_shared<Packed>();
  const std::size_t channels = scale.shape(0), space = round_up(int(channels), 64);
  weights->bias = padded(shift, channels);
  weights->memory = Memory(space * sizeof(float));
  weights->data = weights->memory.as<void>();
  std::copy(scale.data(), scale.data() + channels, weights->memory.as<float>());
  return weights;
}

// Products a second, the most of several runs.
double peak(const Kernels& kernels, bool bf16, Workspaces& workspaces) {
  check(!bf16 || kernels.has_bf16, "this instruction set has no products in bf16");
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
  const int height = (in.height + 2 * padding - kernel) / stride + 1;
  const int width = (in.width + 2 * padding - kernel) / stride + 1;
  check(in.height + 2 * padding >= kernel && in.width + 2 * padding >= kernel,
        "the kernel is larger than the map");
  return {channels, height, width, round_up(channels, kChannelBlock)};
}

// Only Winograd's convolutions read bf16.
void add(Plan& plan, const Step& step, std::shared_ptr<Packed> weights = nullptr) {
  check(!plan.last().half || step.kind == Kind::kWinograd, "this step does not read bf16");
  plan.add(step, std::move(weights));
}

Plan& winograd(Plan& plan, std::shared_ptr<Packed> weights, int outputs, int tile, bool relu,
               bool pool, bool half) {
  Step step{.kind = Kind::kWinograd, .output = output_map(plan.last(), outputs, 3, 1, 1),
            .kernel = 3, .padding = 1, .tile = tile, .relu = relu, .pool = pool};
  if (pool) step.output = output_map(step.output, outputs, 2, 2, 0);
  step.output.half = half;
  add(plan, step, weights);
  return plan;
}

Plan& direct(Plan& plan, std::shared_ptr<Packed> weights, int outputs, int kernel, int stride,
             int padding, bool relu, bool half) {
  Step step{.kind = Kind::kDirect, .output = output_map(plan.last(), outputs, kernel, stride, padding),
            .kernel = kernel, .stride = stride, .padding = padding, .relu = relu};
  step.output.half = half;
  add(plan, step, weights);
  return plan;
}

// A fully connected layer over windows of kernel x kernel pixels.
Plan& linear(Plan& plan, std::shared_ptr<Packed> weights, int outputs, int kernel, bool relu) {
  add(plan, {.kind = Kind::kLinear, .output = output_map(plan.last(), outputs, kernel, 1, 0),
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

void run(const Plan& plan, const Array& images, const std::vector<Output>& outputs,
         Workspaces& workspaces) {
  const Map& image = plan.steps().front().output;
  check(images.ndim() == 4 && int(images.shape(1)) == image.channels &&
            int(images.shape(2)) == image.height && int(images.shape(3)) == image.width,
        "the images do not have the shape that the plan was made for");
  const std::size_t count = images.shape(0);
  const std::vector<std::size_t> sizes = plan.output_sizes();
  check(outputs.size() == sizes.size(), "one array is needed for each output of the plan");
  std::vector<float*> targets;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    check(outputs[i].size() == count * sizes[i], "an output array has the wrong size");
    targets.push_back(outputs[i].data());
  }
  if (count == 0) return;
  workspaces.use([&](Workspace& workspace) {
    plan.run(images.data(), int(count), targets, workspace);
  });
}

std::vector<double> time_steps(const Plan& plan, const Array& images, int repeats,
                               Workspaces& workspaces) {
  std::vector<double> seconds;
  workspaces.use([&](Workspace& workspace) {
    seconds = plan.time_steps(images.data(), int(images.shape(0)), repeats, workspace);
  });
  return seconds;
}

}  // namespace

NB_MODULE(_native, module) {
  module.doc() = "3x3 convolutions by Winograd's algorithm, and what else a VGG is made of.";
  nb::class_<Packed>(module, "Weights", "Weights in the order in which a kernel reads them.")
      .def_prop_ro("bytes", [](const Packed& weights) { return weights.memory.bytes(); },
                   "Memory of its own; 0 where an array is used in place.");
  nb::class_<Workspaces>(module, "Workspaces", "Threads and buffers, one set a concurrent caller.")
      .def(nb::init<int>(), "threads"_a)
      .def_prop_ro("threads", &Workspaces::threads);
  nb::class_<Kernels>(module, "Kernels", "What is compiled for one instruction set.")
      .def_prop_ro("name", [](const Kernels& kernels) { return kernels.name; })
      .def_ro("has_bf16", &Kernels::has_bf16)
      .def("winograd", pack_winograd, "weight"_a, "bias"_a, "tile"_a, "bf16"_a, "workspaces"_a)
      .def("direct", pack_direct, "weight"_a, "bias"_a, "pixel"_a, "bf16"_a, "workspaces"_a)
      .def("linear", pack_linear, "weight"_a, "bias"_a, "bf16"_a, "workspaces"_a)
      .def("peak", peak, "bf16"_a, "workspaces"_a);
  module.def("affine", pack_affine, "scale"_a, "shift"_a);
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
      .def("winograd", winograd, "weights"_a, "outputs"_a, "tile"_a, "relu"_a, "pool"_a, "half"_a,
           nb::rv_policy::reference)
      .def("direct", direct, "weights"_a, "outputs"_a, "kernel"_a, "stride"_a, "padding"_a, "relu"_a, "half"_a,
           nb::rv_policy::reference)
      .def("linear", linear, "weights"_a, "outputs"_a, "kernel"_a, "relu"_a, nb::rv_policy::reference)
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
      .def("run", run, "images"_a, "outputs"_a, "workspaces"_a)
      .def("time_steps", time_steps, "images"_a, "repeats"_a, "workspaces"_a);
}
