#include "team.h"

#include <pthread.h>

#include <cstdint>
#include <mutex>

namespace vggnet {
namespace {

std::atomic<unsigned> fork_count{0};

void count_forks() {
  static std::once_flag once;
  std::call_once(once, [] { pthread_atfork(nullptr, nullptr, [] { ++fork_count; }); });
}

inline void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Returns when `word` is not `old` any more.
void wait_for_change(const std::atomic<unsigned>& word, unsigned old) {
  constexpr int kSpins = 2000;  // about 30 to 100 microseconds
  for (int spin = 0; spin < kSpins; ++spin) {
    if (word.load(std::memory_order_acquire) != old) return;
    pause();
  }
  word.wait(old, std::memory_order_acquire);
}

}  // namespace

struct Team::Shared {
  struct alignas(64) Share {
    std::atomic<int> next{0};  // the first index that nobody has taken
    int end = 0;
  };

  explicit Shared(int size) : shares(size) {}

  alignas(64) std::atomic<unsigned> round{0};    // goes up when there is a new loop
  alignas(64) std::atomic<unsigned> working{0};  // members besides the caller that are not done
  std::vector<Share> shares;
  bool stop = false;
  void* context = nullptr;
  Function* function = nullptr;

  void divide(int count) {
    const std::int64_t size = std::ssize(shares);
    for (std::int64_t member = 0; member < size; ++member) {
      shares[member].next.store(int(member * count / size), std::memory_order_relaxed);
      shares[member].end = int((member + 1) * count / size);
    }
  }
  void take_part(int member) {
    const int size = int(std::ssize(shares));
    for (int turn = 0; turn < size; ++turn) {
      Share& share = shares[(member + turn) % size];
      for (int index; (index = share.next.fetch_add(1, std::memory_order_relaxed)) < share.end;)
        function(context, index, member);
    }
  }
};

Team::Team(int size) : size_(size) {}

// After a fork the threads are of another process: there is nothing to join, and what they look at
// stays, as does what stands for them.
void Team::abandon() {
  new std::vector<std::thread>(std::move(threads_));
  threads_.clear();
  shared_.release();
}

Team::~Team() {
  if (!shared_) return;
  if (forks_ != fork_count) {
    abandon();
    return;
  }
  shared_->stop = true;
  ++shared_->round;
  shared_->round.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Team::start() {
  count_forks();
  if (shared_) abandon();
  shared_ = std::make_unique<Shared>(size_);
  forks_ = fork_count;
  for (int member = 1; member < size_; ++member) {
    threads_.emplace_back([shared = shared_.get(), member] {
      for (unsigned seen = 0;;) {
        wait_for_change(shared->round, seen);
        ++seen;
        if (shared->stop) return;
        shared->take_part(member);
        if (shared->working.fetch_sub(1, std::memory_order_acq_rel) == 1)
          shared->working.notify_one();
      }
    });
  }
}

void Team::run(int count, void* context, Function* function) {
  if (size_ == 1 || count <= 1) {
    for (int index = 0; index < count; ++index) function(context, index, 0);
    return;
  }
  if (!shared_ || forks_ != fork_count) start();
  Shared& shared = *shared_;
  shared.divide(count);
  shared.context = context;
  shared.function = function;
  shared.working.store(size_ - 1, std::memory_order_relaxed);
  shared.round.fetch_add(1, std::memory_order_release);
  shared.round.notify_all();
  shared.take_part(0);
  for (unsigned left; (left = shared.working.load(std::memory_order_acquire)) != 0;)
    wait_for_change(shared.working, left);
}

}  // namespace vggnet
