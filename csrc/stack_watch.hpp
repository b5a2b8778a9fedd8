// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

// Sees before a basic block of an emulated ARMv7-M core that the block would take more stack than
// there is. It costs next to nothing: the stack pointer is read only before blocks that push.
class StackWatch {
  public:
    // Reads a register of the emulator whose handle it is given.
    using Read = int (*)(void* emulator, int register_, void* value);

    StackWatch(Read read, int stack_pointer, std::uint32_t limit);

    // How much deeper the stack becomes within a block of code, in bytes.
    static std::uint32_t pushed_by(const std::uint8_t* code, std::size_t size);

    // Whether so much would not fit above the limit; is_overflowing then stays set.
    bool overflows(void* emulator, std::uint32_t pushed);

    bool is_overflowing = false;

  private:
    Read read_;
    int stack_pointer_;
    std::uint32_t limit_;
};
