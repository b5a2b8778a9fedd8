// SPDX-License-Identifier: Apache-2.0
#include <pybind11/pybind11.h>

#include <memory>
#include <utility>
#include <vector>

#include "instruction_counter.hpp"
#include "register.hpp"

namespace py = pybind11;

namespace {

std::unique_ptr<InstructionCounter> make(const py::list& regions, std::uintptr_t stop,
                                         std::uintptr_t read, int stack_pointer,
                                         std::uint32_t stack_limit) {
    std::vector<InstructionCounter::Region> found;
    for (const py::handle& entry : regions) {
        const auto pair = entry.cast<std::pair<std::uint64_t, py::buffer>>();
        const py::buffer_info info = pair.second.request();
        found.push_back({pair.first, static_cast<const std::uint8_t*>(info.ptr),
                         static_cast<std::size_t>(info.size * info.itemsize)});
    }
    return std::make_unique<InstructionCounter>(
        std::move(found), reinterpret_cast<InstructionCounter::Stop>(stop),
        StackWatch(reinterpret_cast<StackWatch::Read>(read), stack_pointer, stack_limit));
}

}  // namespace

void register_emulation(py::module_& m) {
    py::class_<InstructionCounter>(m, "InstructionCounter",
                                   "Counts the instructions of an emulated ARMv7-M core.")
        .def(py::init(&make), py::arg("regions"), py::arg("stop"), py::arg("read"),
             py::arg("stack_pointer"), py::arg("stack_limit"), py::keep_alive<1, 2>(),
             "`regions` are (address in the core, memory) of code, `stop` and `read` the addresses "
             "of the emulator's functions that stop it and read a register. The core is stopped "
             "before a block that would push below `stack_limit`, too.")
        .def_readwrite("count", &InstructionCounter::count)
        .def_readwrite("limit", &InstructionCounter::limit,
                       "The core is stopped once it has counted so many.")
        .def_property(
            "is_overflowing",
            [](const InstructionCounter& self) { return self.watch.is_overflowing; },
            [](InstructionCounter& self, bool value) { self.watch.is_overflowing = value; },
            "Whether it was stopped for its stack; who resolves that sets it back.")
        .def_property_readonly(
            "function",
            [](const InstructionCounter&) {
                return reinterpret_cast<std::uintptr_t>(&InstructionCounter::on_block);
            },
            "The address of what the emulator calls before every block.")
        .def_property_readonly(
            "context",
            [](const InstructionCounter& self) { return reinterpret_cast<std::uintptr_t>(&self); },
            "What it is to be given.");
}
