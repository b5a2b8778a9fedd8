/* SPDX-License-Identifier: Apache-2.0 */
/* The clock of deadlines: only devices have any, so an image without them does without this. */
#include "weft/port.h"

/* ARMv7-M Architecture Reference Manual C1.6.5 and C1.8. */
#define DEMCR 0xE000EDFCu
#define DEMCR_TRCENA (1u << 24)
#define DWT_CTRL 0xE0001000u
#define DWT_CTRL_CYCCNTENA 1u
#define DWT_CYCCNT 0xE0001004u

static volatile uint32_t *reg(uintptr_t address)
{
    return (volatile uint32_t *)address;
}

/* The core's cycle counter, switched on by whoever asks first. Without one, it counts how often it was
 * asked, so that every wait ends: then a firmware does better with a timer of its own. */
__attribute__((weak)) uint32_t weft_port_clock(const struct weft_pe *pe)
{
    static uint32_t ticks;
    (void)pe;
    if ((*reg(DWT_CTRL) & DWT_CTRL_CYCCNTENA) == 0u) {
        *reg(DEMCR) |= DEMCR_TRCENA;
        *reg(DWT_CTRL) |= DWT_CTRL_CYCCNTENA;
        if ((*reg(DWT_CTRL) & DWT_CTRL_CYCCNTENA) == 0u) {
            weft_port_add(&ticks, 1u);
            return weft_port_observe(&ticks);
        }
    }
    return *reg(DWT_CYCCNT);
}
