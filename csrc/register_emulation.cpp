// SPDX-License-Identifier: Apache-2.0
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <memory>
#include <string_view>
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

// (shard, task, function, instructions, cycles), in this order, of all that was run.
py::list counts(const InstructionCounter& counter) {
    py::list rows;
    for (const auto& [work, row] : counter.counts()) {
        for (std::size_t function = 0; function < row.size(); ++function) {
            const auto& [instructions, cycles] = row[function];
            if (instructions == 0) continue;
            rows.append(py::make_tuple(work.first, work.second, static_cast<int>(function) - 1,
                                       instructions, cycles));
        }
    }
    return rows;
}

py::tuple block_cost(const py::bytes& code) {
    const auto bytes = static_cast<std::string_view>(code);
    const BlockCost cost =
        cost_of_block(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    return py::make_tuple(cost.instructions, cost.cycles, refill_cycles(cost.target, false),
                          cost.always_jumps);
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
        .def("set_functions", &InstructionCounter::set_functions, py::arg("starts"),
             "Where functions begin, in order. The counts begin anew, but for `count`.")
        .def("set_executive", &InstructionCounter::set_executive, py::arg("kernels"),
             py::arg("firing"), py::arg("shard"), py::arg("task"),
             "From now on blocks count for what an executive is at: kernels begin at the addresses "
             "`kernels`, `firing` is that of a byte, the others of words. False if there is no "
             "such memory.")
        .def("counts", &counts,
             "(shard, task, function, instructions, cycles) since then: shard and task are -1 "
             "where there is none, function is an index of `starts`, or -1.")
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
    m.def("block_cost", &block_cost, py::arg("code"),
          "A basic block of ARMv7-M code: (instructions, cycles without a jump at its end, cycles "
          "of the refill after that, whether it always jumps).");
}
