// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

// The instructions of a Cortex-M4 and what they cost, by docs/design/cycle-model.md: no cache, no
// wait states, aligned data.

// Where an instruction that changes the program counter has its target from. The refill of the
// pipeline takes 1, 2 and 3 cycles; see `refill_cycles`.
enum class Target : std::uint8_t { none, immediate, in_register, in_memory };

struct Instruction {
    // What the pipeline asks of a neighbour: results of `data` come too late for an address, a
    // `load` overlaps with the next access, a `store` with the load before.
    enum class Kind : std::uint8_t { other, data, load, store };

    std::uint8_t bytes = 2;
    Kind kind = Kind::data;
    std::uint8_t cycles = 1;  // alone, without a refill
    Target target = Target::none;
    bool is_conditional = false;        // by itself; an IT before it makes others conditional
    std::uint8_t made_conditional = 0;  // of an IT: how many instructions after it
    std::uint16_t address = 0;          // registers that its address is made from
    std::uint16_t written = 0;          // registers that it writes
};

// The instruction whose first halfword is `first`; `second` counts if there is one.
Instruction decode(std::uint16_t first, std::uint16_t second);

// A basic block, run from its first instruction to its last.
struct BlockCost {
    std::uint32_t instructions = 0;
    std::uint32_t cycles = 0;      // without the refill after it
    Target target = Target::none;  // of its last instruction
    bool always_jumps = false;     // its last instruction is not conditional
    bool starts_wide = false;      // its first instruction has four bytes
};

BlockCost cost_of_block(const std::uint8_t* code, std::size_t bytes);

// The refill after a jump. `is_split` says that the first instruction there has four bytes and does
// not begin at a multiple of four, so that it takes two fetches.
std::uint32_t refill_cycles(Target target, bool is_split);
