#include "plan.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <stdexcept>
#include <string>

namespace vggnet {
namespace {

// Early maps are large and their kernels small: they are run over few pictures at a time, so that
// what a step wrote is still in the cache when the next one reads it. Late maps are small and their
// kernels large: they are run over as many pictures as memory allows, since kernels are read once.
constexpr std::size_t kCacheBytes = std::size_t{8} << 20;
constexpr std::size_t kMemoryBytes = std::size_t{128} << 20;
constexpr int kMostImages = 64;

int images_within(std::size_t bytes, std::size_t bytes_an_image, int images) {
  const std::size_t fit = bytes / bytes_an_image;
  return int(std::clamp<std::size_t>(fit, 1, std::min(images, kMostImages)));
}

}  // namespace

// Not in the header: what the code of an instruction set has inline, the linker may take for all.
void Scratch::reserve_own(std::size_t bytes) {
  for (Memory& memory : own_) memory.reserve(bytes);
}

Plan::Plan(const Kernels& kernels, Map image) : kernels_(kernels), last_(image) {}

void Plan::add(Step step, std::shared_ptr<const Weights> weights) {
  const Map &in = last_, &out = step.output;
  // Kernels count within a map in ints; with what is put around it, it must not be too large.
  const double padded = (in.height + 2.0 * step.padding) * (in.width + 2.0 * step.padding) * in.pixel;
  const double written = double(out.height) * out.width * out.pixel;
  if (std::max(padded, written) > std::numeric_limits<int>::max())
    throw std::invalid_argument("a map of " + std::to_string(in.height) + " x " +
                                std::to_string(in.width) + " pixels is too large for the native engine");
  step.input = last_;
  step.weights = weights.get();
  last_ = step.output;
  steps_.push_back(step);
  if (weights) weights_.push_back(std::move(weights));
}

std::vector<std::size_t> Plan::output_sizes() const {
  std::vector<std::size_t> sizes;
  for (const Step& step : steps_)
    if (step.kind == Kind::kExport)
      sizes.push_back(std::size_t(step.input.channels) * step.input.height * step.input.width);
  return sizes;
}

std::size_t Plan::largest_map(std::size_t first, std::size_t last) const {
  std::size_t largest = 1;
  for (std::size_t index = first; index < last; ++index)
    largest = std::max({largest, steps_[index].input.bytes(), steps_[index].output.bytes()});
  return largest;
}

void Plan::run(const float* images, int count, const std::vector<float*>& outputs,
               Workspace& workspace) const {
  const std::size_t image_size = std::size_t(steps_.front().output.channels) *
                                 steps_.front().output.height * steps_.front().output.width;
  const std::vector<std::size_t> sizes = output_sizes();
  std::vector<float*> targets = outputs;
  std::size_t early = 0;  // steps that are run over few pictures at a time
  for (std::size_t index = 0; index < steps_.size(); ++index)
    if (images_within(kCacheBytes, largest_map(index, index + 1), count) < std::min(count, 2))
      early = index + 1;
  while (early < steps_.size() && steps_[early].kind == Kind::kExport) ++early;
  // What the early steps leave is kept for the whole batch as well.
  const std::size_t late = largest_map(early ? early - 1 : 0, steps_.size());
  const int batch = images_within(kMemoryBytes, late, count);
  const int few = images_within(kCacheBytes, largest_map(0, early), batch);
  for (int start = 0; start < count; start += batch) {
    const int now = std::min(batch, count - start);
    const float* input = images + start * image_size;
    if (early) {
      const std::size_t halfway = steps_[early - 1].output.bytes() / sizeof(float);
      workspace.halfway.reserve(batch * halfway * sizeof(float));
      float* const target = workspace.halfway.as<float>();
      for (int image = 0; image < now; image += few) {
        std::vector<float*> shifted = targets;
        for (std::size_t i = 0; i < shifted.size(); ++i) shifted[i] += (start + image) * sizes[i];
        run_steps(0, early, input + image * image_size, std::min(few, now - image), shifted,
                  target + image * halfway, workspace);
      }
      input = target;
    }
    std::vector<float*> shifted = targets;
    for (std::size_t i = 0; i < shifted.size(); ++i) shifted[i] += start * sizes[i];
    for (std::size_t index = 0; index < early; ++index)
      if (steps_[index].kind == Kind::kExport) shifted.erase(shifted.begin());
    run_steps(early, steps_.size(), input, now, shifted, nullptr, workspace);
  }
}

const float* Plan::run_steps(std::size_t first, std::size_t last, const float* input, int images,
                             std::vector<float*>& outputs, float* final_output,
                             Workspace& workspace) const {
  const std::size_t bytes = largest_map(first, last) * images;
  for (Memory& memory : workspace.activations) memory.reserve(bytes);
  std::size_t end = last;  // after the last step that makes new activations
  while (end > first && steps_[end - 1].kind == Kind::kExport) --end;
  int turn = 0;
  auto exported = outputs.begin();
  for (std::size_t index = first; index < last; ++index) {
    const Step& step = steps_[index];
    if (step.kind == Kind::kExport) {
      kernels_.run[int(step.kind)](step, {input, *exported++, images, workspace.team, workspace.scratch});
      continue;
    }
    float* const output = index + 1 == end && final_output
                              ? final_output
                              : workspace.activations[turn].as<float>();
    kernels_.run[int(step.kind)](step, {input, output, images, workspace.team, workspace.scratch});
    input = output;
    turn ^= 1;
  }
  return input;
}

std::vector<double> Plan::time_steps(const float* images, int count, int repeats,
                                     Workspace& workspace) const {
  using Clock = std::chrono::steady_clock;
  std::vector<double> least(steps_.size(), 1e30);
  const std::size_t bytes = largest_map(0, steps_.size()) * count;
  Memory exported(bytes);
  for (Memory& memory : workspace.activations) memory.reserve(bytes);
  for (int repeat = 0; repeat < repeats; ++repeat) {
    const float* input = images;
    int turn = 0;
    for (std::size_t index = 0; index < steps_.size(); ++index) {
      const Step& step = steps_[index];
      const bool out = step.kind == Kind::kExport;
      float* const output =
          out ? exported.as<float>() : workspace.activations[turn].as<float>();
      const auto start = Clock::now();
      kernels_.run[int(step.kind)](step, {input, output, count, workspace.team, workspace.scratch});
      const std::chrono::duration<double> taken = Clock::now() - start;
      least[index] = std::min(least[index], taken.count());
      if (!out) input = output, turn ^= 1;
    }
  }
  return least;
}

}  // namespace vggnet
