// SPDX-License-Identifier: Apache-2.0
#include "instruction_counter.hpp"

#include <cstring>
#include <utility>

InstructionCounter::InstructionCounter(std::vector<Region> regions, Stop stop, StackWatch watch)
    : watch(watch), regions_(std::move(regions)), stop_(stop) {}

void InstructionCounter::on_block(void* emulator, std::uint64_t address, std::uint32_t size,
                                  void* self) {
    auto& counter = *static_cast<InstructionCounter*>(self);
    if (counter.count >= counter.limit) {
        counter.stop_(emulator);  // before the block, which is counted when the core goes on
        return;
    }
    const Known& known = counter.known_of(address, size);
    if (known.pushed != 0 && counter.watch.overflows(emulator, known.pushed)) {
        counter.stop_(emulator);
        return;
    }
    counter.count += known.instructions;
}

const InstructionCounter::Known& InstructionCounter::known_of(std::uint64_t address,
                                                              std::uint32_t size) {
    Known& known = known_[(address >> 1) % known_.size()];
    if (known.address != address || known.size != size) {
        known = decode(address, size);
    }
    return known;
}

// ARMv7-M Architecture Reference Manual A5.1: a halfword that begins with 0b11101, 0b11110 or
// 0b11111 is the first of two.
InstructionCounter::Known InstructionCounter::decode(std::uint64_t address,
                                                     std::uint32_t size) const {
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
        const std::uint32_t pushed = StackWatch::pushed_by(region.bytes + begin, end - begin);
        return {address, size, instructions, pushed};
    }
    return {address, size, 0, 0};
}
