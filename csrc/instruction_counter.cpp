// SPDX-License-Identifier: Apache-2.0
#include "instruction_counter.hpp"

#include <cstring>
#include <utility>

InstructionCounter::InstructionCounter(std::vector<Region> regions, Stop stop)
    : regions_(std::move(regions)), stop_(stop) {}

void InstructionCounter::on_block(void* emulator, std::uint64_t address, std::uint32_t size,
                                  void* self) {
    auto& counter = *static_cast<InstructionCounter*>(self);
    if (counter.count >= counter.limit) {
        counter.stop_(emulator);  // before the block, which is counted when the core goes on
        return;
    }
    counter.count += counter.instructions_of(address, size);
}

std::uint32_t InstructionCounter::instructions_of(std::uint64_t address, std::uint32_t size) {
    Known& known = known_[(address >> 1) % known_.size()];
    if (known.address != address || known.size != size) {
        known = {address, size, decode(address, size)};
    }
    return known.instructions;
}

// ARMv7-M Architecture Reference Manual A5.1: a halfword that begins with 0b11101, 0b11110 or
// 0b11111 is the first of two.
std::uint32_t InstructionCounter::decode(std::uint64_t address, std::uint32_t size) const {
    for (const Region& region : regions_) {
        if (address < region.origin || address - region.origin >= region.size) continue;
        const std::size_t begin = address - region.origin;
        const std::size_t end = size > region.size - begin ? region.size : begin + size;
        std::uint32_t instructions = 0;
        for (std::size_t at = begin; at + 2 <= end; ++instructions) {
            std::uint16_t halfword = 0;
            std::memcpy(&halfword, region.bytes + at, sizeof halfword);
            at += halfword >> 11 >= 0x1Du ? 4 : 2;
        }
        return instructions;
    }
    return 0;
}
