// A network at one picture size, as a list of steps, and what one caller needs to run it.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "steps.h"

namespace vggnet {

// What belongs to one caller at a time and is used again by the next.
struct Workspace {
  explicit Workspace(int threads, const OpenMp* openmp = nullptr)
      : team(threads, openmp), scratch(threads) {}
  Team team;
  Scratch scratch;
  Memory activations[2];  // a step reads one and writes the other
  Memory halfway;         // the activations of a whole batch after the early steps
  Weights kernels;        // of the convolution that training computes, anew each time
};

// Steps in the order in which they run, each on the output of the one before. A kExport step
// writes the activations so far to the next of the caller's arrays and is passed over otherwise.
class Plan {
 public:
  Plan(const Kernels& kernels, Map image);

  // Throws std::invalid_argument for maps whose numbers an int cannot count.
  void add(Step step, std::shared_ptr<const Weights> weights = nullptr);
  const Kernels& kernels() const { return kernels_; }
  const Map& last() const { return last_; }
  const std::vector<Step>& steps() const { return steps_; }
  // Floats of each of the caller's arrays for one picture.
  std::vector<std::size_t> output_sizes() const;

  // `images` as NCHW. May be called by several threads at once with a workspace each.
  void run(const float* images, int count, const std::vector<float*>& outputs,
           Workspace& workspace) const;
  // For measuring: seconds of every step, the least of `repeats`. Each is run over all images at
  // once, where `run` takes the early ones over few at a time, so that many images need memory.
  std::vector<double> time_steps(const float* images, int count, int repeats,
                                 Workspace& workspace) const;

 private:
  const float* run_steps(std::size_t first, std::size_t last, const float* input, int images,
                         std::vector<float*>& outputs, float* final_output,
                         Workspace& workspace) const;
  std::size_t largest_map(std::size_t first, std::size_t last) const;  // bytes for one picture

  const Kernels& kernels_;
  Map last_;
  std::vector<Step> steps_;
  std::vector<std::shared_ptr<const Weights>> weights_;
};

}  // namespace vggnet
