// SPDX-License-Identifier: Apache-2.0
#include "stack_watch.hpp"

#include <algorithm>
#include <cstring>

namespace {

int bits_of(std::uint32_t word) {
    int count = 0;
    for (; word != 0; word &= word - 1) ++count;
    return count;
}

// ARMv7-M Architecture Reference Manual A5.3.2, for what stack frames need: 8 bits, or 8 bits with
// their highest set, turned right.
std::int64_t modified_immediate(std::uint32_t first, std::uint32_t second) {
    const std::uint32_t code = (first >> 10 & 1u) << 11 | (second >> 4 & 0x700u) | (second & 0xFFu);
    const std::uint32_t byte = code & 0xFFu, turn = code >> 7;
    if (turn < 8) return byte;  // the repeated patterns are no size of a frame
    const std::uint32_t word = 0x80u | (byte & 0x7Fu);
    return word >> turn | word << (32 - turn);
}

// Bytes that a 16-bit instruction pushes, negative if it pops.
std::int64_t growth_of(std::uint32_t it) {
    if (it >> 9 == 0x5Au) return 4 * bits_of(it & 0x1FFu);       // push
    if (it >> 9 == 0x5Eu) return -4 * bits_of(it & 0x1FFu);      // pop
    if (it >> 7 == 0x161u) return 4 * std::int64_t{it & 0x7Fu};  // sub sp, #
    if (it >> 7 == 0x160u) return -4 * std::int64_t{it & 0x7Fu};
    return 0;
}

// The same of a 32-bit one.
std::int64_t growth_of(std::uint32_t first, std::uint32_t second) {
    const std::int64_t byte = second & 0xFFu;
    if (first == 0xE92Du) return 4 * bits_of(second);  // push.w
    if (first == 0xE8BDu) return -4 * bits_of(second);
    if (first == 0xE96Du) return 4 * byte;  // strd [sp, #-]!
    if (first == 0xE8FDu) return -4 * byte;
    if (first == 0xF84Du && (second & 0xF00u) == 0xD00u) return byte;  // str [sp, #-]!
    if (first == 0xF85Du && (second & 0xF00u) == 0xB00u) return -byte;
    const bool is_floating = (second & 0xE00u) == 0xA00u;
    if ((first | 0x40u) == 0xED6Du && is_floating) return 4 * byte;  // vpush
    if ((first | 0x40u) == 0xECFDu && is_floating) return -4 * byte;
    if ((second & 0x8F00u) != 0xD00u) return 0;  // the result is not sp
    const std::uint32_t operation = first & ~0x410u;
    if (operation == 0xF1ADu) return modified_immediate(first, second);  // sub.w sp, sp, #
    if (operation == 0xF10Du) return -modified_immediate(first, second);
    const std::int64_t plain = (first >> 10 & 1u) << 11 | (second >> 4 & 0x700u) | (second & 0xFFu);
    if (operation == 0xF2ADu) return plain;  // subw
    if (operation == 0xF20Du) return -plain;
    return 0;
}

}  // namespace

StackWatch::StackWatch(Read read, int stack_pointer, std::uint32_t limit)
    : read_(read), stack_pointer_(stack_pointer), limit_(limit) {}

std::uint32_t StackWatch::pushed_by(const std::uint8_t* code, std::size_t size) {
    std::int64_t depth = 0, deepest = 0;
    for (std::size_t at = 0; at + 2 <= size;) {
        std::uint16_t first = 0, second = 0;
        std::memcpy(&first, code + at, sizeof first);
        const bool is_wide = first >> 11 >= 0x1Du;
        if (is_wide && at + 4 <= size) std::memcpy(&second, code + at + 2, sizeof second);
        depth += is_wide ? growth_of(first, second) : growth_of(first);
        deepest = std::max(deepest, depth);
        at += is_wide ? 4 : 2;
    }
    return static_cast<std::uint32_t>(deepest);
}

bool StackWatch::overflows(void* emulator, std::uint32_t pushed) {
    std::uint32_t pointer = 0;
    read_(emulator, stack_pointer_, &pointer);
    if (pointer < limit_ || pointer - limit_ < pushed) is_overflowing = true;
    return is_overflowing;
}
