// What the parts of the module vggnet._native share.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "plan.h"

namespace vggnet {

namespace nb = nanobind;

using Array = nb::ndarray<const float, nb::c_contig, nb::device::cpu>;
using Output = nb::ndarray<float, nb::c_contig, nb::device::cpu>;

inline void check(bool fits, const char* message) {
  if (!fits) throw std::invalid_argument(message);
}

// Workspaces that wait for a caller. The interpreter's lock guards the list.
class Workspaces {
 public:
  explicit Workspaces(int threads) : threads_(threads) {
    check(threads >= 1, "threads must be at least 1");
  }
  Workspaces(int threads, const std::string& library) : Workspaces(threads) {
    openmp_ = find_openmp(library.c_str());
  }
  Workspaces(const Workspaces&) = delete;
  Workspaces& operator=(const Workspaces&) = delete;

  // Calls body(workspace) without the lock. Warns, once, where there are fewer threads than asked for.
  template <class Body>
  void use(Body&& body) {
    std::unique_ptr<Workspace> workspace;
    if (free_.empty()) {
      workspace = std::make_unique<Workspace>(threads_, openmp_);
    } else {
      workspace = std::move(free_.back());
      free_.pop_back();
    }
    {
      nb::gil_scoped_release unlocked;
      body(*workspace);
    }
    const int refused = workspace->team.refused();
    free_.push_back(std::move(workspace));
    if (refused > 0 && !std::exchange(warned_, true) &&
        PyErr_WarnFormat(PyExc_UserWarning, 1,
                         "the system refused %d of the native engine's %d threads (see ulimit -u and "
                         "the container's limits); it goes on with %d",
                         refused, threads_, threads_ - refused) < 0)
      throw nb::python_error();  // where warnings are errors
  }
  int threads() const { return threads_; }

 private:
  const int threads_;
  bool warned_ = false;
  const OpenMp* openmp_ = nullptr;
  std::vector<std::unique_ptr<Workspace>> free_;
};

// What training computes, in training_binding.cc.
void bind_training(nb::module_& module, nb::class_<Kernels>& kernels);

}  // namespace vggnet
