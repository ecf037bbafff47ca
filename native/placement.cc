#include "placement.h"

#include <sched.h>

namespace vggnet {

#if defined(__linux__)

void Placement::keep_off_this_core(pthread_t thread) {
  const int here = sched_getcpu();
  if (here < 0 || here >= CPU_SETSIZE) return;
  if (pthread_getaffinity_np(thread, sizeof cores_, &cores_) != 0) return;
  cpu_set_t others = cores_;
  CPU_CLR(here, &others);
  if (CPU_COUNT(&others) > 0)
    kept_off_ = pthread_setaffinity_np(thread, sizeof others, &others) == 0;
}

void Placement::give_back(pthread_t thread) {
  if (kept_off_) pthread_setaffinity_np(thread, sizeof cores_, &cores_);
  kept_off_ = false;
}

#else

void Placement::keep_off_this_core(pthread_t) {}
void Placement::give_back(pthread_t) {}

#endif

}  // namespace vggnet
