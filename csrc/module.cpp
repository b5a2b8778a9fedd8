// SPDX-License-Identifier: Apache-2.0
// The compiled module: memory and calls for PEs in this process, and what emulated cores need to be
// fast. What happens in a PE is decided by the C runtime; nothing here schedules or counts credits.
#include "register.hpp"

PYBIND11_MODULE(_native, m) {
    m.doc() = "Loads compiled host libraries and holds the PEs that run in this process.";
    register_emulation(m);
    register_library(m);
    register_stream(m);
}
