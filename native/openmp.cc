#include "openmp.h"

#include <dlfcn.h>

namespace vggnet {

const OpenMp* find_openmp(const char* library) {
  void* const handle = dlopen(library, RTLD_LAZY | RTLD_NOLOAD);
  if (!handle) return nullptr;
  const auto parallel = reinterpret_cast<decltype(OpenMp::parallel)>(dlsym(handle, "GOMP_parallel"));
  const auto thread_num =
      reinterpret_cast<decltype(OpenMp::thread_num)>(dlsym(handle, "omp_get_thread_num"));
  if (!parallel || !thread_num) return nullptr;
  return new OpenMp{parallel, thread_num};
}

}  // namespace vggnet
