// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "stack_watch.hpp"

// Counts the instructions of an emulated ARMv7-M core, one basic block at a time, and stops the core
// before the block after the last that was allowed. The emulator calls `on_block` before every
// block; nothing of the emulator is linked.
class InstructionCounter {
  public:
    // Memory that code may lie in, by its address in the core.
    struct Region {
        std::uint64_t origin;
        const std::uint8_t* bytes;
        std::size_t size;
    };
    // Stops the emulator whose handle it is given.
    using Stop = int (*)(void* emulator);

    InstructionCounter(std::vector<Region> regions, Stop stop, StackWatch watch);

    // What the emulator calls; `self` is the counter.
    static void on_block(void* emulator, std::uint64_t address, std::uint32_t size, void* self);

    std::uint64_t count = 0;
    std::uint64_t limit = 0;
    StackWatch watch;  // also stops the core

  private:
    // Instructions of a block, remembered: code does not change while it runs.
    struct Known {
        std::uint64_t address = ~std::uint64_t{0};
        std::uint32_t size = 0, instructions = 0, pushed = 0;
    };

    const Known& known_of(std::uint64_t address, std::uint32_t size);
    Known decode(std::uint64_t address, std::uint32_t size) const;

    std::vector<Region> regions_;
    Stop stop_;
    std::array<Known, 4096> known_{};
};
