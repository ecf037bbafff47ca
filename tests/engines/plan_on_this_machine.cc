// Plans of native/ against convolutions written as plain loops in double: what scripts/emulate runs
// on a machine that has no Python of its own, and test_emulate.py on this one. Prints the instruction set and the largest error, in
// units of the largest output; exit status 1 where it is more than rounding.
#include <cmath>
#include <cstdio>
#include <memory>
#include <random>
#include <vector>

#include "../../native/cpu.h"
#include "../../native/plan.h"

using namespace vggnet;

namespace {

std::mt19937 random_bits(1);

std::vector<float> normal(std::size_t count) {
  std::normal_distribution<float> distribution;
  std::vector<float> values(count);
  for (float& value : values) value = distribution(random_bits);
  return values;
}

// Activations as [image][channel][y][x].
struct Maps {
  int images, channels, height, width;
  std::vector<double> values = std::vector<double>(std::size_t(images) * channels * height * width);

  double& at(int image, int channel, int y, int x) {
    return values[((std::size_t(image) * channels + channel) * height + y) * width + x];
  }
  double inside(int image, int channel, int y, int x) {
    return y < 0 || x < 0 || y >= height || x >= width ? 0 : at(image, channel, y, x);
  }
};

Maps convolve(Maps in, const std::vector<float>& weight, const std::vector<float>& bias, int kernel,
              int stride, int padding, bool relu) {
  const int outputs = int(bias.size());
  Maps out{in.images, outputs, (in.height + 2 * padding - kernel) / stride + 1,
           (in.width + 2 * padding - kernel) / stride + 1};
  for (int image = 0; image < in.images; ++image)
    for (int o = 0; o < outputs; ++o)
      for (int y = 0; y < out.height; ++y)
        for (int x = 0; x < out.width; ++x) {
          double total = bias[o];
          for (int c = 0; c < in.channels; ++c)
            for (int i = 0; i < kernel; ++i)
              for (int j = 0; j < kernel; ++j)
                total += double(weight[((o * in.channels + c) * kernel + i) * kernel + j]) *
                         in.inside(image, c, y * stride + i - padding, x * stride + j - padding);
          out.at(image, o, y, x) = relu && total < 0 ? 0 : total;
        }
  return out;
}

Maps pool(Maps in) {
  Maps out{in.images, in.channels, in.height / 2, in.width / 2};
  for (int image = 0; image < in.images; ++image)
    for (int c = 0; c < in.channels; ++c)
      for (int y = 0; y < out.height; ++y)
        for (int x = 0; x < out.width; ++x) {
          double largest = in.at(image, c, 2 * y, 2 * x);
          for (int i = 0; i < 4; ++i)
            largest = std::fmax(largest, in.at(image, c, 2 * y + i / 2, 2 * x + i % 2));
          out.at(image, c, y, x) = largest;
        }
  return out;
}

std::shared_ptr<Weights> with_bias(const std::vector<float>& bias) {
  auto weights = std::make_shared<Weights>();
  weights->bias = bias;
  weights->bias.resize(round_up(int(bias.size()), 64));
  return weights;
}

Map map_of(int channels, int height, int width) {
  return {channels, height, width, round_up(channels, kChannelBlock)};
}

// Direct, Winograd's with a pool, an FC layer over every window: the error of the last. The pool is a
// step of its own where the tile cuts through its windows.
double error_of(const Kernels& kernels, int tile, int threads) {
  constexpr int kImages = 2, kHeight = 19, kWidth = 23, kFirst = 21, kSecond = 37, kOutputs = 10;
  Workspace workspace(threads);
  const std::vector<float> images = normal(kImages * 3 * kHeight * kWidth);
  const std::vector<float> w1 = normal(kFirst * 3 * 25), b1 = normal(kFirst);
  const std::vector<float> w2 = normal(kSecond * kFirst * 9), b2 = normal(kSecond);
  const std::vector<float> w3 = normal(kOutputs * kSecond * 9), b3 = normal(kOutputs);

  Maps expected{kImages, 3, kHeight, kWidth, {images.begin(), images.end()}};
  expected = convolve(expected, w1, b1, 5, 1, 2, true);
  expected = pool(convolve(expected, w2, b2, 3, 1, 1, true));
  expected = convolve(expected, w3, b3, 3, 1, 0, false);

  Plan plan(kernels, {3, kHeight, kWidth, 3});
  plan.add({.kind = Kind::kImport, .output = plan.last()});
  auto first = with_bias(b1), second = with_bias(b2), third = with_bias(b3);
  kernels.pack_direct(w1.data(), kFirst, 3, 5, 3, *first, workspace.team);
  const Strides strides{.output = 9 * kFirst, .input = 9, .row = 3, .column = 1};
  kernels.pack_winograd({w2.data(), strides, kSecond, kFirst}, tile, *second, workspace.team);
  kernels.pack_linear(w3.data(), kOutputs, kSecond * 9, *third, workspace.team);
  plan.add({.kind = Kind::kDirect, .output = map_of(kFirst, kHeight, kWidth), .kernel = 5,
            .padding = 2, .relu = true}, first);
  const bool pool_in_tile = tile % 2 == 0;
  const Map pooled = map_of(kSecond, kHeight / 2, kWidth / 2);
  plan.add({.kind = Kind::kWinograd,
            .output = pool_in_tile ? pooled : map_of(kSecond, kHeight, kWidth), .kernel = 3,
            .padding = 1, .tile = tile, .relu = true, .pool = pool_in_tile}, second);
  if (!pool_in_tile) plan.add({.kind = Kind::kMaxPool, .output = pooled, .kernel = 2, .stride = 2});
  plan.add({.kind = Kind::kLinear, .output = map_of(kOutputs, expected.height, expected.width),
            .kernel = 3}, third);
  plan.add({.kind = Kind::kExport, .output = plan.last()});
  std::vector<float> found(expected.values.size());
  plan.run(images.data(), kImages, {found.data()}, workspace);

  double largest = 0, error = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    largest = std::fmax(largest, std::fabs(expected.values[i]));
    error = std::fmax(error, std::fabs(found[i] - expected.values[i]));
  }
  return error / largest;
}

}  // namespace

int main() {
  const Kernels& kernels = *available_kernels().front();
  double worst = 0;
  for (int tile : {2, 4, 5, 6})
    for (int threads : {1, 3}) worst = std::fmax(worst, error_of(kernels, tile, threads));
  std::printf("%s: largest error %.1e\n", kernels.name, worst);
  return worst < 1e-5 ? 0 : 1;
}
