// How members and caller follow each other, and by which writes and reads.
//
//   the caller                              a member
//   divides the loop into shares,           awaits a round that he has not seen
//     writes context and function
//   opens:    inside = 0, release
//   rings:    round += 2, release     ->    sees the round: acquire
//     and wakes those that sleep
//                                     ->    enters: inside += 1, acquire, unless it is closed
//   takes part                              takes part
//                                     <-    leaves: inside -= 1, release
//   closes:   inside += kClosed             and wakes the caller if he is the last
//   waits for inside == kClosed: acquire
//
// - All that describes a loop is plain memory. It is written while nobody is inside, and only who is
//   inside reads it: who enters sees what was written before the loop was opened, and the caller, who
//   reads what the last one left, sees what all of them did. Whoever comes in between goes on with a
//   read-modify-write of `inside`, through which a release still reaches the acquire behind it.
// - The round only says that it is worth trying to enter; `inside` decides. A member who comes late
//   finds the loop closed and waits on, or enters a later one, as a part of it like any other, before
//   he sees its round; when he does, he tries again, and finds no piece left or the loop closed. Who
//   has seen a round sees its loop open or closed again, not as it was before: it was opened first.
// - No call to wake is lost: `round` and `inside` are changed before who waits for them is notified,
//   and a wait begins by comparing. While the caller waits for the others to leave, `inside` only falls.
// - Rounds are even and begin anew after 2^31 loops. A member who slept through as many as that misses
//   one, and nobody waits for him; kOver is odd, and is never missed.
// - `next` hands out indices and nothing else, so it is relaxed; and so is `asleep`, since who reads it
//   wrong only places a thread that needs no place, or does not place one that does.
//
// With the threads of an OpenMP runtime none of this happens but the shares: a parallel region of that
// runtime begins after what was written before it and ends after all that was done in it.
#include "team.h"

#include <pthread.h>

#include <chrono>
#include <cstdint>
#include <limits>
#include <system_error>

#include "placement.h"

namespace vggnet {
namespace {

std::atomic<unsigned> fork_count{0};  // between this process and the one that loaded the library

const int counting_forks = pthread_atfork(nullptr, nullptr, [] { ++fork_count; });

inline void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Whether `word` is soon not `old` any more. First looks at nothing else, then lets other threads go
// first: a core that sleeps may take longer to wake than a layer takes.
bool changes_soon(const std::atomic<int>& word, int old) {
  using Clock = std::chrono::steady_clock;
  constexpr int kSpins = 2000;  // about 30 to 100 microseconds
  constexpr std::chrono::milliseconds kAwake{2};
  const auto changed = [&] { return word.load(std::memory_order_acquire) != old; };
  for (int spin = 0; spin < kSpins; ++spin) {
    if (changed()) return true;
    pause();
  }
  for (const auto end = Clock::now() + kAwake; Clock::now() < end; std::this_thread::yield())
    if (changed()) return true;
  return false;
}

constexpr int kClosed = std::numeric_limits<int>::min();
constexpr int kOver = 1;  // the round in which members end

}  // namespace

struct Team::Shared {
  struct alignas(64) Share {
    std::atomic<int> next{0};  // the first index that nobody has taken
    int end = 0;
    std::atomic<bool> asleep{false};  // whether its member waits for a loop in his sleep
    Placement placement;              // of its member, for the caller
  };

  explicit Shared(int size) : shares(size) {}

  alignas(64) std::atomic<int> round{0};  // another even number when there is a new loop
  // Members besides the caller that are in the loop; with kClosed added, nobody may enter any more.
  alignas(64) std::atomic<int> inside{kClosed};
  std::vector<Share> shares;
  void* context = nullptr;
  Function* function = nullptr;

  void divide(int count) {
    const std::int64_t size = std::ssize(shares);
    for (std::int64_t member = 0; member < size; ++member) {
      shares[member].next.store(int(member * count / size), std::memory_order_relaxed);
      shares[member].end = int((member + 1) * count / size);
    }
  }
  void open() { inside.store(0, std::memory_order_release); }
  void ring() { round.fetch_add(2, std::memory_order_release); }
  bool enter() {
    int members = inside.load(std::memory_order_relaxed);
    while (members >= 0)
      if (inside.compare_exchange_weak(members, members + 1, std::memory_order_acq_rel)) return true;
    return false;
  }
  void leave() {
    if (inside.fetch_sub(1, std::memory_order_acq_rel) == kClosed + 1) inside.notify_one();
  }
  // Returns when all that entered have left. Who comes late is not waited for.
  void close() {
    inside.fetch_add(kClosed, std::memory_order_acq_rel);
    for (int left; (left = inside.load(std::memory_order_acquire)) != kClosed;)
      if (!changes_soon(inside, left)) inside.wait(left, std::memory_order_acquire);
  }
  // A round after `seen`.
  int await_round(int member, int seen) {
    if (!changes_soon(round, seen)) {
      shares[member].asleep.store(true, std::memory_order_relaxed);
      round.wait(seen, std::memory_order_relaxed);
      shares[member].asleep.store(false, std::memory_order_relaxed);
    }
    return round.load(std::memory_order_acquire);
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

Team::Team(int size, const OpenMp* openmp) : size_(size), openmp_(openmp) {}

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
  shared_->round.store(kOver, std::memory_order_release);
  shared_->round.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Team::start() {
  if (shared_) abandon();
  threads_.reserve(size_ - 1);
  shared_ = std::make_unique<Shared>(size_);
  forks_ = fork_count;
  const auto work = [shared = shared_.get()](int member) {
    for (int seen = 0;;) {
      seen = shared->await_round(member, seen);
      if (seen == kOver) return;
      if (!shared->enter()) continue;
      shared->take_part(member);
      shared->leave();
    }
  };
  try {
    for (int member = 1; member < size_; ++member) threads_.emplace_back(work, member);
  } catch (const std::system_error&) {
    // Their shares are for the others to take, like those of members who are late in every loop.
  }
  refused_ = size_ - 1 - int(std::ssize(threads_));
}

void Team::run_borrowed(int count, void* context, Function* function) {
  if (!shared_) shared_ = std::make_unique<Shared>(size_);
  shared_->divide(count);
  shared_->context = context;
  shared_->function = function;
  struct Region {
    Shared* shared;
    const OpenMp* openmp;
  } region{shared_.get(), openmp_};
  openmp_->parallel(
      [](void* data) {
        const Region* const region = static_cast<Region*>(data);
        region->shared->take_part(region->openmp->thread_num());
      },
      &region, unsigned(size_), 0);
}

void Team::run(int count, void* context, Function* function) {
  if (size_ == 1 || count <= 1) {
    for (int index = 0; index < count; ++index) function(context, index, 0);
    return;
  }
  if (openmp_ && fork_count == 0) return run_borrowed(count, context, function);
  if (!shared_ || forks_ != fork_count) start();
  Shared& shared = *shared_;
  shared.divide(count);
  shared.context = context;
  shared.function = function;
  shared.open();
  shared.ring();
  const int members = 1 + int(std::ssize(threads_));
  for (int member = 1; member < members; ++member)
    if (shared.shares[member].asleep.load(std::memory_order_relaxed))
      shared.shares[member].placement.keep_off_this_core(threads_[member - 1].native_handle());
  shared.round.notify_all();
  shared.take_part(0);
  shared.close();
  for (int member = 1; member < members; ++member)
    shared.shares[member].placement.give_back(threads_[member - 1].native_handle());
}

}  // namespace vggnet
