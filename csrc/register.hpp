// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <pybind11/pybind11.h>

void register_emulation(pybind11::module_& m);
void register_library(pybind11::module_& m);
void register_stream(pybind11::module_& m);
