// SPDX-License-Identifier: Apache-2.0
#include "cycle_model.hpp"

#include <algorithm>
#include <cstring>

// Encodings: ARMv7-M Architecture Reference Manual, A5.2 (16 bits) and A5.3 (32 bits).

namespace {

using Kind = Instruction::Kind;

constexpr unsigned kStackPointer = 13, kLinkRegister = 14, kProgramCounter = 15;

constexpr std::uint16_t bit(unsigned number) { return static_cast<std::uint16_t>(1u << number); }

constexpr unsigned field(unsigned word, unsigned low, unsigned bits) {
    return word >> low & ((1u << bits) - 1u);
}

unsigned count_bits(unsigned word) {
    unsigned count = 0;
    for (; word != 0; word &= word - 1) ++count;
    return count;
}

Instruction data(unsigned destination) {
    Instruction made;
    made.written = bit(destination);
    if (destination == kProgramCounter) {
        made.kind = Kind::other;
        made.target = Target::in_register;
    }
    return made;
}

Instruction other(unsigned cycles) {
    Instruction made;
    made.kind = Kind::other;
    made.cycles = static_cast<std::uint8_t>(cycles);
    return made;
}

Instruction compare() {
    return other(1);  // it writes no register
}

Instruction jump(Target target, bool is_conditional = false) {
    Instruction made = other(1);
    made.target = target;
    made.is_conditional = is_conditional;
    return made;
}

// A load whose result is the next program counter overlaps with nothing.
Instruction load(unsigned destination, unsigned address) {
    Instruction made = other(2);
    made.address = static_cast<std::uint16_t>(address);
    made.written = bit(destination);
    if (destination == kProgramCounter) {
        made.target = Target::in_memory;
    } else {
        made.kind = Kind::load;
    }
    return made;
}

// With an immediate offset the data follow in the shadow of the next instruction.
Instruction store(unsigned address, bool has_register_offset) {
    Instruction made = other(has_register_offset ? 2 : 1);
    made.kind = Kind::store;
    made.address = static_cast<std::uint16_t>(address);
    return made;
}

// Several words one after the other. `loaded` are the registers that it loads.
Instruction several(unsigned words, unsigned address, unsigned loaded) {
    Instruction made = other(1 + words);
    made.address = static_cast<std::uint16_t>(address);
    made.written = static_cast<std::uint16_t>(loaded);
    if (loaded & bit(kProgramCounter)) made.target = Target::in_memory;
    return made;
}

// --- 16 bits -------------------------------------------------------------------------------------

Instruction decode_special_data(unsigned word) {
    const unsigned destination = (word & 7) | (word >> 4 & 8);
    switch (field(word, 8, 2)) {
        case 1:
            return compare();
        case 3: {  // BX, BLX
            Instruction made = jump(Target::in_register);
            if (word & 0x80) made.written = bit(kLinkRegister);
            return made;
        }
        default:
            return data(destination);  // ADD, MOV
    }
}

Instruction decode_single(unsigned word) {
    const unsigned low = word & 7, base = bit(field(word, 3, 3));
    if (word >> 12 == 0x5) {  // register offset
        const unsigned address = base | bit(field(word, 6, 3));
        return field(word, 9, 3) >= 3 ? load(low, address) : store(address, true);
    }
    const bool is_load = word & 0x800;
    if (word >> 12 == 0x9) {  // from the stack pointer
        return is_load ? load(field(word, 8, 3), bit(kStackPointer))
                       : store(bit(kStackPointer), false);
    }
    return is_load ? load(low, base) : store(base, false);
}

Instruction decode_miscellaneous(unsigned word) {
    if ((word & 0xFF00) == 0xB000) return data(kStackPointer);            // ADD, SUB
    if ((word & 0xF500) == 0xB100) return jump(Target::immediate, true);  // CBZ, CBNZ
    if ((word & 0xFF00) == 0xB200) return data(word & 7);                 // SXTB and so on
    if ((word & 0xFE00) == 0xB400) {                                      // PUSH
        return several(count_bits(word & 0x1FF), bit(kStackPointer), 0);
    }
    if ((word & 0xFE00) == 0xBC00) {  // POP
        const unsigned loaded = (word & 0xFF) | (word & 0x100 ? bit(kProgramCounter) : 0u);
        return several(count_bits(loaded), bit(kStackPointer), loaded);
    }
    if ((word & 0xFFE0) == 0xB660) return other(2);        // CPS
    if ((word & 0xFF00) == 0xBA00) return data(word & 7);  // REV and so on
    Instruction made = other(1);                           // BKPT, IT, hints
    if ((word & 0xFF00) == 0xBF00 && (word & 0xF) != 0) {
        unsigned left = 4;
        for (unsigned mask = word & 0xF; (mask & 1) == 0; mask >>= 1) --left;
        made.made_conditional = static_cast<std::uint8_t>(left);
    }
    return made;
}

Instruction decode_narrow(unsigned word) {
    switch (word >> 12) {
        case 0x0:
        case 0x1:
            return data(word & 7);  // shifts, ADD, SUB
        case 0x2:
        case 0x3:
            return field(word, 11, 2) == 1 ? compare() : data(field(word, 8, 3));
        case 0x4: {
            if (word & 0x800) return load(field(word, 8, 3), bit(kProgramCounter));
            if (word & 0x400) return decode_special_data(word);
            const unsigned operation = field(word, 6, 4);
            const bool only_compares = operation == 8 || operation == 10 || operation == 11;
            return only_compares ? compare() : data(word & 7);
        }
        case 0xA:
            return data(field(word, 8, 3));  // ADR, ADD to the stack pointer
        case 0xB:
            return decode_miscellaneous(word);
        case 0xC: {
            const unsigned list = word & 0xFF;
            const bool is_load = word & 0x800;
            return several(count_bits(list), bit(field(word, 8, 3)), is_load ? list : 0);
        }
        case 0xD:
            return field(word, 8, 4) >= 14 ? other(1) : jump(Target::immediate, true);
        case 0xE:
            return jump(Target::immediate);
        default:
            return decode_single(word);
    }
}

// --- 32 bits -------------------------------------------------------------------------------------

Instruction decode_multiple(unsigned first, unsigned second) {
    return several(count_bits(second), bit(first & 15), first & 0x10 ? second : 0);
}

Instruction decode_dual_or_exclusive(unsigned first, unsigned second) {
    const unsigned address = bit(first & 15);
    const bool is_load = first & 0x10;
    const bool has_writeback_or_index = first & 0x120;  // P or W: LDRD, STRD
    if (!has_writeback_or_index) {
        const unsigned operation = field(second, 4, 4);
        const bool is_byte_or_halfword = first & 0x80;
        if (is_byte_or_halfword && is_load && operation < 2) {  // TBB, TBH: load, add, jump
            Instruction made = other(3);
            made.address = static_cast<std::uint16_t>(address | bit(second & 15));
            made.target = Target::in_memory;
            return made;
        }
        Instruction made = load(field(second, 12, 4), address);  // LDREX; STREX is like it
        if (!is_load) made.written = bit(field(second, is_byte_or_halfword ? 0 : 8, 4));
        return made;
    }
    const unsigned loaded = bit(field(second, 12, 4)) | bit(field(second, 8, 4));
    return several(2, address, is_load ? loaded : 0);
}

Instruction decode_single_wide(unsigned first, unsigned second) {
    const unsigned base = first & 15, transferred = field(second, 12, 4);
    const bool is_load = first & 0x10;
    const bool has_long_immediate = first & 0x80 || (is_load && base == kProgramCounter);
    const bool has_register_offset = !has_long_immediate && !(second & 0x800);
    unsigned address = bit(base);
    if (has_register_offset) address |= bit(second & 15);
    if (!is_load) return store(address, has_register_offset);
    const bool is_word = field(first, 5, 2) == 2;
    if (transferred == kProgramCounter && !is_word) return other(1);  // PLD, PLI
    Instruction made = load(transferred, address);
    // A base that is written back is there no sooner than what is loaded.
    if (!has_long_immediate && (second & 0x900) == 0x900) made.written |= bit(base);
    return made;
}

Instruction decode_branch_or_control(unsigned first, unsigned second) {
    if (second & 0x1000) {  // B, BL
        Instruction made = jump(Target::immediate);
        if (second & 0x4000) made.written = bit(kLinkRegister);
        return made;
    }
    if (field(first, 7, 3) != 7) return jump(Target::immediate, true);
    switch (field(first, 4, 7)) {
        case 0x3B: {  // barriers
            const bool is_isb = field(second, 4, 4) == 6;
            return other(is_isb ? 1 + refill_cycles(Target::in_register, false) : 1);
        }
        case 0x38:
        case 0x39:
            return other(2);  // MSR
        case 0x3E:
        case 0x3F: {  // MRS
            Instruction made = data(field(second, 8, 4));
            made.cycles = 2;
            return made;
        }
        default:
            return other(1);  // hints
    }
}

Instruction decode_floating_point(unsigned first, unsigned second) {
    const bool is_double = field(second, 8, 4) == 11;
    if ((first & 0x0200) == 0) {  // to and from memory, or two registers at once
        if (field(first, 5, 4) == 2) return other(2);
        const unsigned address = bit(first & 15);
        const bool is_one = (first & 0x0120) == 0x0100;  // VLDR, VSTR
        const unsigned words = is_one ? (is_double ? 2 : 1) : field(second, 0, 8);
        return several(words, address, 0);
    }
    if (second & 0x10) {  // VMOV, VMRS, VMSR
        const bool to_core = first & 0x10;
        const unsigned destination = field(second, 12, 4);
        return to_core && destination != kProgramCounter ? data(destination) : other(1);
    }
    constexpr unsigned kDivide = 14, kMultiplyAdd = 3;
    switch (field(first, 4, 4) & 0xBu) {
        case 0x0:
        case 0x1:
        case 0x9:
        case 0xA:
            return other(kMultiplyAdd);
        case 0x8:
            return other(kDivide);
        case 0xB: {
            const bool is_square_root = (first & 15) == 1 && field(second, 6, 2) == 3;
            return other(is_square_root ? kDivide : 1);
        }
        default:
            return other(1);
    }
}

Instruction decode_wide(unsigned first, unsigned second) {
    if ((first & 0xEC00) == 0xEC00) return decode_floating_point(first, second);
    if ((first & 0xFE40) == 0xE800) return decode_multiple(first, second);
    if ((first & 0xFE40) == 0xE840) return decode_dual_or_exclusive(first, second);
    const unsigned destination = field(second, 8, 4);
    if ((first & 0xF800) == 0xF000 && (second & 0x8000)) {
        return decode_branch_or_control(first, second);
    }
    if ((first & 0xFE00) == 0xEA00 || (first & 0xF800) == 0xF000) {
        // With all ones as the destination these only compare.
        return destination == kProgramCounter ? compare() : data(destination);
    }
    if ((first & 0xFE00) == 0xF800) return decode_single_wide(first, second);
    if ((first & 0xFF80) != 0xFB80) return data(destination);  // one result of 32 bits
    const bool divides = (first & 0x50) == 0x10 && field(second, 4, 4) == 15;
    Instruction made = data(destination);
    if (divides) {
        made.cycles = 12;
    } else {
        made.written |= bit(field(second, 12, 4));
    }
    return made;
}

// --- the pipeline --------------------------------------------------------------------------------

std::uint32_t cycles_after(const Instruction& before, const Instruction& now) {
    const bool needs_it = (before.written & now.address) != 0;
    if (before.kind == Kind::data && needs_it) return now.cycles + 1u;
    const bool can_overlap = now.kind == Kind::load || now.kind == Kind::store;
    if (before.kind == Kind::load && can_overlap && !needs_it) return 1;
    return now.cycles;
}

}  // namespace

// A5.1: a halfword that begins with 0b11101, 0b11110 or 0b11111 is the first of two.
Instruction decode(std::uint16_t first, std::uint16_t second) {
    if (first >> 11 < 0x1D) return decode_narrow(first);
    Instruction made = decode_wide(first, second);
    made.bytes = 4;
    return made;
}

BlockCost cost_of_block(const std::uint8_t* code, std::size_t bytes) {
    BlockCost cost;
    Instruction before = other(0);
    unsigned conditional = 0;
    for (std::size_t at = 0; at + 2 <= bytes;) {
        std::uint16_t halfwords[2] = {0, 0};
        std::memcpy(halfwords, code + at, std::min<std::size_t>(sizeof halfwords, bytes - at));
        const Instruction now = decode(halfwords[0], halfwords[1]);
        if (at == 0) cost.starts_wide = now.bytes == 4;
        cost.instructions += 1;
        cost.cycles += cycles_after(before, now);
        cost.target = now.target;
        cost.always_jumps = !now.is_conditional && conditional == 0;
        if (conditional > 0) --conditional;
        if (now.made_conditional > 0) conditional = now.made_conditional;
        at += now.bytes;
        before = now;
    }
    return cost;
}

std::uint32_t refill_cycles(Target target, bool is_split) {
    switch (target) {
        case Target::none:
            return 0;
        case Target::immediate:
            return is_split ? 2 : 1;
        case Target::in_register:
            return is_split ? 3 : 2;
        case Target::in_memory:
            return 3;
    }
    return 0;
}
