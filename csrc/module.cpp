// SPDX-License-Identifier: Apache-2.0
// The compiled module: memory and calls for the native engine. What happens in a PE is decided by
// the C runtime inside of the loaded library; nothing here schedules or counts credits.
#include "register.hpp"

PYBIND11_MODULE(_native, m) {
    m.doc() = "Loads compiled host libraries and holds the PEs that run in this process.";
    register_library(m);
    register_stream(m);
}
