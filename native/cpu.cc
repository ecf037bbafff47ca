#include "cpu.h"

#include <stdexcept>
#include <string>
#include <vector>

namespace vggnet {

#define VGGNET_DECLARE(target)       \
  namespace target {                 \
  extern const Kernels kernels;      \
  }
#if defined(VGGNET_X86)
VGGNET_DECLARE(avx512bf16)
VGGNET_DECLARE(avx512)
VGGNET_DECLARE(avx2)
#endif
VGGNET_DECLARE(portable)

std::span<const Kernels* const> available_kernels() {
  static const std::vector<const Kernels*> found = [] {
    std::vector<const Kernels*> list;
#if defined(VGGNET_X86)
    __builtin_cpu_init();
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") &&
                        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
                        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512cd");
    if (avx512 && __builtin_cpu_supports("avx512bf16")) list.push_back(&avx512bf16::kernels);
    if (avx512) list.push_back(&avx512::kernels);
    if (avx2) list.push_back(&avx2::kernels);
#endif
    list.push_back(&portable::kernels);
    return list;
  }();
  return found;
}

const Kernels& find_kernels(std::string_view name) {
  std::string names;
  for (const Kernels* each : available_kernels()) {
    if (each->name == name) return *each;
    names += (names.empty() ? "" : ", ") + std::string(each->name);
  }
  throw std::invalid_argument("instruction set '" + std::string(name) +
                              "' is not on this machine; it has " + names);
}

}  // namespace vggnet
