/* SPDX-License-Identifier: Apache-2.0 */
#include "weft/pe.h"

/* The build computes it over the runtime's sources, in the order of their names. */
#ifndef WEFT_RUNTIME_HASH
#error "define WEFT_RUNTIME_HASH as a string: the SHA-256 of the runtime sources"
#endif

const char *weft_runtime_hash(void)
{
    return WEFT_RUNTIME_HASH;
}
