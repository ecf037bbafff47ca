// Which of the compiled instruction sets this machine has.
#pragma once

#include <span>
#include <string_view>

#include "steps.h"

namespace vggnet {

// Best first; the last one runs everywhere.
std::span<const Kernels* const> available_kernels();

// Throws std::invalid_argument, which says what there is, for a name that is not among them.
const Kernels& find_kernels(std::string_view name);

}  // namespace vggnet
