// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "cycle_model.hpp"
#include "stack_watch.hpp"

// Counts instructions and cycles of an emulated ARMv7-M core, one basic block at a time, and stops
// the core before the block after the last that was allowed. The emulator calls `on_block` before
// every block; nothing of the emulator is linked.
//
// A block counts for its function and, where the core has an executive that says what it is at, for
// a shard and a task of it.
class InstructionCounter {
  public:
    // Memory that code may lie in, by its address in the core.
    struct Region {
        std::uint64_t origin;
        const std::uint8_t* bytes;
        std::size_t size;
    };
    struct Count {
        std::uint64_t instructions = 0, cycles = 0;
    };
    // What an executive is at: the shard that fires and the task whose kernels run, -1 where there
    // is none.
    using Work = std::pair<std::int64_t, std::int64_t>;
    // Stops the emulator whose handle it is given.
    using Stop = int (*)(void* emulator);

    InstructionCounter(std::vector<Region> regions, Stop stop, StackWatch watch);

    // What the emulator calls; `self` is the counter.
    static void on_block(void* emulator, std::uint64_t address, std::uint32_t size, void* self);

    // Where functions begin, in order: a block belongs to the last that begins at it or before. The
    // counts begin anew, but for `count`.
    void set_functions(std::vector<std::uint64_t> starts);

    // From now on blocks count for what an executive is at. Kernels run from when a block begins at
    // one of `kernels` until one begins in the function that called it. `firing` is the address of
    // a byte, `shard` and `task` are those of words. False if there is no such memory.
    bool set_executive(std::vector<std::uint64_t> kernels, std::uint64_t firing,
                       std::uint64_t shard, std::uint64_t task);

    // By work, a count for each function; the first is of what lies before all of them.
    const std::map<Work, std::vector<Count>>& counts() const { return counts_; }

    std::uint64_t count = 0;
    std::uint64_t limit = 0;
    StackWatch watch;  // also stops the core

  private:
    // A block, remembered: code does not change while it runs.
    struct Known {
        std::uint64_t address = ~std::uint64_t{0};
        std::uint32_t size = 0, function = 0, pushed = 0;
        BlockCost cost;
        bool begins_kernel = false;
    };
    struct Executive {
        std::vector<std::uint64_t> kernels;
        const std::uint8_t *firing = nullptr, *shard = nullptr, *task = nullptr;
    };

    void forget();
    void add(const Known& block);
    const Known& known(std::uint64_t address, std::uint32_t size);
    Known look_at(std::uint64_t address, std::uint32_t size) const;
    Work work_at(const Known& block);
    // The bytes of a region from an address on, and how many; null if there is none.
    std::pair<const std::uint8_t*, std::size_t> find(std::uint64_t address) const;
    const std::uint8_t* find_all(std::uint64_t address, std::size_t size) const;

    std::vector<Region> regions_;
    Stop stop_;
    std::vector<std::uint64_t> functions_;
    Executive executive_;
    std::array<Known, 4096> known_{};
    std::map<Work, std::vector<Count>> counts_;
    Work work_{-1, -1};
    std::vector<Count>* row_ = nullptr;  // of work_
    bool in_kernel_ = false;
    std::uint32_t caller_ = 0;  // the function that called the kernel
    // The block before: where it ends, how, and what it counted for.
    std::uint64_t last_end_ = 0;
    std::uint32_t last_function_ = 0;
    Target last_target_ = Target::none;
    bool last_always_jumps_ = false;
    Count* last_count_ = nullptr;
};
