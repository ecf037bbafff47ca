// The kernels of one instruction set, VGGNET_TARGET, as one table.
#include "activation.h"
#include "direct.h"
#include "direct_gradient.h"
#include "elementwise.h"
#include "gradient.h"
#include "linear.h"
#include "peak.h"
#include "winograd.h"

#define VGGNET_STRING(text) VGGNET_STRING_OF(text)
#define VGGNET_STRING_OF(text) #text

namespace vggnet::VGGNET_TARGET {
namespace {

template <class Element>
void winograd_of(const Step& step, const Call& call) {
  if (step.tile == 2) return winograd<2, Element>(step, call);
  if (step.tile == 4) return winograd<4, Element>(step, call);
  if (step.tile == 5) return winograd<5, Element>(step, call);
  return winograd<6, Element>(step, call);
}

void run_winograd(const Step& step, const Call& call) {
#if defined(__AVX512BF16__)
  if (step.weights->bf16) return winograd_of<Bf16>(step, call);
#endif
  winograd_of<float>(step, call);
}

void run_direct(const Step& step, const Call& call) {
#if defined(__AVX512BF16__)
  if (step.weights->bf16) return direct<Bf16>(step, call);
#endif
  direct<float>(step, call);
}

void run_linear(const Step& step, const Call& call) {
#if defined(__AVX512BF16__)
  if (step.weights->bf16) return linear<Bf16>(step, call);
#endif
  linear<float>(step, call);
}

template <class Element>
void pack_winograd_of(const PlainKernels& kernels, int tile, Weights& weights, Team& team) {
  if (tile == 2) return pack_winograd<2, Element>(kernels, weights, team);
  if (tile == 4) return pack_winograd<4, Element>(kernels, weights, team);
  if (tile == 5) return pack_winograd<5, Element>(kernels, weights, team);
  pack_winograd<6, Element>(kernels, weights, team);
}

void run_pack_winograd(const PlainKernels& kernels, int tile, Weights& weights, Team& team) {
  if constexpr (kHasBf16)
    if (weights.bf16) return pack_winograd_of<Bf16>(kernels, tile, weights, team);
  pack_winograd_of<float>(kernels, tile, weights, team);
}

void run_pack_direct(const float* weight, int outputs, int inputs, int kernel, int pixel,
                     Weights& weights, Team& team) {
  if constexpr (kHasBf16)
    if (weights.bf16) return pack_direct<Bf16>(weight, outputs, inputs, kernel, pixel, weights, team);
  pack_direct<float>(weight, outputs, inputs, kernel, pixel, weights, team);
}

void run_kernel_gradient(const KernelGradient& wanted) {
  if (wanted.tile == 0) return direct_kernel_gradient(wanted);
  if (wanted.tile == 2) return kernel_gradient<2>(wanted);
  if (wanted.tile == 4) return kernel_gradient<4>(wanted);
  if (wanted.tile == 5) return kernel_gradient<5>(wanted);
  kernel_gradient<6>(wanted);
}

double run_peak([[maybe_unused]] bool bf16, Team& team, Scratch& scratch) {
#if defined(__AVX512BF16__)
  if (bf16) measure<Bf16>(team, scratch);
  else
#endif
    measure<float>(team, scratch);
  return kPeakProducts * team.size();
}

}  // namespace

extern const Kernels kernels;
const Kernels kernels{
    .name = VGGNET_STRING(VGGNET_TARGET),
    .has_bf16 = kHasBf16,
    .run = {import_images, run_winograd, run_direct, run_linear, max_pool, average, normalise, affine,
            rectify_all, export_images},
    .pack_winograd = run_pack_winograd,
    .kernel_gradient = run_kernel_gradient,
    .statistics = statistics,
    .activate = activate,
    .activation_sums = activation_sums,
    .activation_gradient = activation_gradient,
    .pack_direct = run_pack_direct,
    .pack_linear = pack_linear,
    .peak = run_peak,
};

}  // namespace vggnet::VGGNET_TARGET
