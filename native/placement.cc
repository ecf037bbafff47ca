#include "placement.h"

#include <sched.h>

namespace vggnet {

#if defined(__linux__)

void Placement::keep_off_this_core(pthread_t thread) {
  const int here = sched_getcpu();
  if (here < 0 || here >= CPU_SETSIZE) return;
  if (pthread_getaffinity_np(thread, sizeof cores_, &cores_) != 0) return;
  others_ = cores_;
  CPU_CLR(here, &others_);
  if (CPU_COUNT(&others_) > 0)
    kept_off_ = pthread_setaffinity_np(thread, sizeof others_, &others_) == 0;
}

void Placement::give_back(pthread_t thread) {
  if (!kept_off_) return;
  kept_off_ = false;
  cpu_set_t now;
  if (pthread_getaffinity_np(thread, sizeof now, &now) == 0 && CPU_EQUAL(&now, &others_))
    pthread_setaffinity_np(thread, sizeof cores_, &cores_);
}

#else

void Placement::keep_off_this_core(pthread_t) {}
void Placement::give_back(pthread_t) {}

#endif

}  // namespace vggnet
