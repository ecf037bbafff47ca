// A team of threads that share the pieces of a loop.
#pragma once

#include <atomic>
#include <memory>
#include <thread>
#include <type_traits>
#include <vector>

#include "openmp.h"

namespace vggnet {

// The calling thread is member 0. Members that have nothing to do stay awake for two milliseconds,
// since the next loop of a network follows at once, and sleep after that; a loop waits for nobody who
// wakes after its last piece was taken. A team is used by one caller at a time, who starts no loop
// inside of another. In a process forked from its own, which has none of its threads, it starts them
// anew.
//
// Where it is given an OpenMP runtime, its members are that runtime's threads: another library that
// computes with them in between then finds no core taken by threads that wait for more work. A
// process forked from the one that loaded this library cannot have those and starts its own.
class Team {
 public:
  explicit Team(int size, const OpenMp* openmp = nullptr);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  int size() const { return size_; }
  // Threads that the system would not start when the first loop asked for them, which it does where
  // their number is limited. The team does without them.
  int refused() const { return refused_; }

  // Calls body(index, member) once for every index below `count`, in any order, and returns when
  // all calls have. Each member has a share of neighbouring indices, the same from loop to loop, so
  // that what it wrote in one layer is in its cache when it reads it in the next; who is done with
  // his share takes from the others'. What the calls wrote may be read afterwards.
  //
  // A body must not throw: other members may be in it, or about to enter it, and need it to the end.
  template <class Body>
  void parallel(int count, Body&& body) {
    static_assert(noexcept(body(0, 0)), "the body of a parallel loop must be noexcept");
    run(count, &body, [](void* context, int index, int member) noexcept {
      (*static_cast<std::remove_reference_t<Body>*>(context))(index, member);
    });
  }

 private:
  using Function = void(void* context, int index, int member) noexcept;
  struct Shared;  // what the members look at

  void run(int count, void* context, Function* function);
  void run_borrowed(int count, void* context, Function* function);
  void start();
  void abandon();

  const int size_;
  const OpenMp* const openmp_;
  std::unique_ptr<Shared> shared_;
  std::vector<std::thread> threads_;  // of the members from 1 on
  int refused_ = 0;
  unsigned forks_ = 0;  // forks of this process when the threads were started
};

}  // namespace vggnet
