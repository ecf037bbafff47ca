// On which core a thread wakes.
#pragma once

#include <pthread.h>

namespace vggnet {

// Some kernels, those of small virtual machines above all, wake a thread on the core of the thread
// that wakes it, where it waits for milliseconds although another core has nothing to do. So who
// wakes a thread keeps it off his own core for a while. Where a system has no such calls, or refuses
// them, nothing happens. Whatever somebody else, such as an administrator's taskset, has allowed the
// thread meanwhile stays. Used by one thread at a time.
class Placement {
 public:
  void keep_off_this_core(pthread_t thread);
  void give_back(pthread_t thread);  // the cores that it had, unless it has others by now

 private:
#if defined(__linux__)
  cpu_set_t cores_, others_;  // that it had, and without the one that it was kept off
  bool kept_off_ = false;
#endif
};

}  // namespace vggnet
