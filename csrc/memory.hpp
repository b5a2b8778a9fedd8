// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>

extern "C" {
#include "weft/pe.h"
}

// Zeroed memory with the alignment that the runtime asks for.
struct AlignedDelete {
    void operator()(std::uint8_t* bytes) const {
        ::operator delete(bytes, std::align_val_t{WEFT_ALIGNMENT});
    }
};
using AlignedBytes = std::unique_ptr<std::uint8_t[], AlignedDelete>;

inline AlignedBytes allocate(std::size_t count) {
    const std::size_t padded = count == 0 ? WEFT_ALIGNMENT : count;
    auto* bytes =
        static_cast<std::uint8_t*>(::operator new(padded, std::align_val_t{WEFT_ALIGNMENT}));
    std::memset(bytes, 0, padded);
    return AlignedBytes(bytes);
}
