// The team of native/team.h in all that a caller may do with it: what tests/engines/test_team.py runs as it
// is, and scripts/sanitize_team under ThreadSanitizer and AddressSanitizer. The one argument names a
// part, the second says how often; exit status 1, and a line that says what, where something is wrong.
//
// Counts are plain numbers on purpose: two members in one place, or a loop that ends before all of it
// is done, are races that ThreadSanitizer sees, and not only wrong numbers.
#include <dlfcn.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "../../native/placement.h"
#include "../../native/team.h"

using vggnet::Team;

namespace {

std::atomic<int> allowed_threads{std::numeric_limits<int>::max()};

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::_Exit(1);
}

// Longer than members stay awake for, so that some of them sleep and some are about to.
void pause() { std::this_thread::sleep_for(std::chrono::microseconds(2500)); }

// Loops of many lengths. `members`: those below this number may take part.
void loops(Team& team, int num, int members, int seed = 0) {
  std::minstd_rand random(seed + 1);
  std::vector<int> calls, members_calls(team.size());
  for (int loop = 0; loop < num; ++loop) {
    const int count = int(random() % (loop % 3 ? 12 : 200));
    calls.assign(count, 0);
    members_calls.assign(team.size(), 0);
    team.parallel(count, [&](int index, int member) noexcept {
      ++calls[index];
      ++members_calls[member];
    });
    int total = 0;
    for (int index = 0; index < count; ++index) require(calls[index] == 1, "an index was not called once");
    for (int member = 0; member < team.size(); ++member) {
      require(members_calls[member] == 0 || member < members, "a member took part that there is not");
      total += members_calls[member];
    }
    require(total == count, "two members have one number");
    if (random() % 50 == 0) pause();
  }
}

void many_loops(int num) {
  for (int size : {1, 2, 3, 8}) {
    Team team(size);
    loops(team, num, size, size);
  }
}

// Teams that end while their members still look for the last loop.
void ends(int num) {
  for (int turn = 0; turn < num; ++turn) {
    Team team(2 + turn % 7);
    loops(team, turn % 4, team.size(), turn);
  }
}

void callers(int num) {
  std::vector<std::thread> threads;
  Team shared(3);
  std::mutex mutex;
  for (int caller = 0; caller < 4; ++caller)
    threads.emplace_back([&, caller] {
      Team own(2);
      for (int turn = 0; turn < num / 10; ++turn) {
        loops(own, 10, 2, turn);
        const std::lock_guard lock(mutex);
        loops(shared, 10, 3, caller);
      }
    });
  for (std::thread& thread : threads) thread.join();
}

// The sanitizers' own locks and lists do not survive a fork among threads: with them, a child only ends
// its team.
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr bool kThreadsInChild = false;
#else
constexpr bool kThreadsInChild = true;
#endif

template <class Body>
void in_child(const Body& body) {
  const pid_t child = fork();
  require(child >= 0, "fork failed");
  if (child == 0) {
    body();
    std::_Exit(0);
  }
  int status = 1;
  require(waitpid(child, &status, 0) == child && status == 0, "a child failed");
}

void forks(int num) {
  for (int turn = 0; turn < num; ++turn) {
    std::optional<Team> team(3);
    loops(*team, 5, 3, turn);
    in_child([&] {
      if (kThreadsInChild && turn % 2) loops(*team, 5, 3, turn);
      in_child([&] {
        if (kThreadsInChild) loops(*team, 5, 3, turn);
        team.reset();
      });
      team.reset();
    });
    loops(*team, 5, 3, turn);
  }
}

void refused(int num) {
#if defined(__GLIBC__)
  for (int turn = 0; turn < num; ++turn)
    for (int size : {2, 3, 8})
      for (int allowed = 0; allowed < size - 1; ++allowed) {
        allowed_threads = allowed;
        Team team(size);
        loops(team, 5, 1 + allowed, turn);
        allowed_threads = std::numeric_limits<int>::max();
        loops(team, 5, 1 + allowed, turn);
        require(team.refused() == size - 1 - allowed, "the team does not say how many it lacks");
        if (kThreadsInChild && turn % 10 == 0) in_child([&] { loops(team, 5, size, turn); });
      }
#else
  (void)num;
#endif
}

// A thread is kept off this core and given back, unless somebody else has placed it meanwhile.
void placement(int num) {
#if defined(__linux__)
  const auto cores_of = [](pthread_t thread) {
    cpu_set_t cores;
    require(pthread_getaffinity_np(thread, sizeof cores, &cores) == 0, "no affinity to be had");
    return cores;
  };
  std::atomic<bool> done{false};
  std::thread thread([&] { done.wait(false); });
  const pthread_t handle = thread.native_handle();
  const cpu_set_t before = cores_of(handle);
  for (int turn = 0; turn < num && CPU_COUNT(&before) > 1; ++turn) {
    vggnet::Placement placement;
    placement.keep_off_this_core(handle);
    const cpu_set_t during = cores_of(handle);
    require(CPU_COUNT(&during) == CPU_COUNT(&before) - 1, "the thread is kept off no core");
    placement.give_back(handle);
    cpu_set_t after = cores_of(handle);
    require(CPU_EQUAL(&after, &before), "the thread did not get its cores back");

    placement.keep_off_this_core(handle);
    cpu_set_t kept_off = cores_of(handle), others;
    CPU_XOR(&others, &before, &kept_off);  // the one core that it was kept off
    require(pthread_setaffinity_np(handle, sizeof others, &others) == 0, "no affinity to be set");
    placement.give_back(handle);
    after = cores_of(handle);
    require(CPU_EQUAL(&after, &others), "what somebody else set was overwritten");
    placement.give_back(handle);  // of what was not taken
    require(pthread_setaffinity_np(handle, sizeof before, &before) == 0, "no affinity to be set");
  }
  done = true;
  done.notify_all();
  thread.join();
#else
  (void)num;
#endif
}

struct Part {
  const char* name;
  void (*run)(int num);
};
constexpr Part kParts[] = {{"loops", many_loops}, {"ends", ends},       {"callers", callers},
                           {"forks", forks},      {"refused", refused}, {"placement", placement}};

}  // namespace

#if defined(__GLIBC__)
// Takes the place of the C library's, and refuses threads as a limit on their number does.
extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                              void* (*start)(void*), void* argument) noexcept {
  static const auto real = reinterpret_cast<decltype(&pthread_create)>(dlsym(RTLD_NEXT, "pthread_create"));
  if (allowed_threads.fetch_sub(1) <= 0) {
    allowed_threads = 0;
    return EAGAIN;
  }
  return real(thread, attributes, start, argument);
}
#endif

int main(int count, char** arguments) {
  if (count == 3)
    for (const Part& part : kParts)
      if (part.name == std::string(arguments[1])) {
        part.run(std::atoi(arguments[2]));
        return 0;
      }
  std::fprintf(stderr, "usage: %s PART TIMES; parts:", arguments[0]);
  for (const Part& part : kParts) std::fprintf(stderr, " %s", part.name);
  std::fprintf(stderr, "\n");
  return 2;
}
