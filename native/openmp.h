// The OpenMP runtime that another library of this process computes with.
#pragma once

namespace vggnet {

// Entry points that GCC's runtime has and LLVM's offers too. `parallel` calls body(data) on at most
// `threads` threads, the caller among them, and returns when all calls have.
struct OpenMp {
  void (*parallel)(void (*body)(void*), void* data, unsigned threads, unsigned flags);
  int (*thread_num)();  // of the caller of `body`, below `threads`
};

// That of a loaded library, or null where it has none. What is found stays as long as the process.
const OpenMp* find_openmp(const char* library);

}  // namespace vggnet
