/* SPDX-License-Identifier: Apache-2.0 */
/* DRAM that lies in the core's address space. A driver for one that does not replaces these. */
#include <stddef.h>
#include <string.h>

#include "image.h"
#include "weft/port.h"

#define REPLACEABLE __attribute__((weak))

REPLACEABLE const weft_image_dram_t weft_image_dram = {NULL, 0u};

static uint8_t *dram_at(uint32_t offset, uint32_t bytes)
{
    const weft_image_dram_t *dram = &weft_image_dram;
    if (offset > dram->bytes || bytes > dram->bytes - offset) return NULL;
    return dram->start != NULL ? dram->start + offset : NULL;
}

REPLACEABLE weft_status_t weft_port_dram_read(const struct weft_pe *pe, uint32_t offset, void *to,
                                              uint32_t bytes)
{
    const uint8_t *from = dram_at(offset, bytes);
    (void)pe;
    if (from == NULL) return WEFT_E_ARGUMENT;
    memcpy(to, from, bytes);
    return WEFT_OK;
}

REPLACEABLE weft_status_t weft_port_dram_write(const struct weft_pe *pe, uint32_t offset,
                                               const void *from, uint32_t bytes)
{
    uint8_t *to = dram_at(offset, bytes);
    (void)pe;
    if (to == NULL) return WEFT_E_ARGUMENT;
    memcpy(to, from, bytes);
    return WEFT_OK;
}
