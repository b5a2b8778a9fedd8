/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>

#include "firmware.h"

extern uint32_t bss_start[], bss_end[], stack_top[];

int main(void);
void reset(void);

void reset(void)
{
    *(volatile uint32_t *)0xE000ED88u |= 0xFu << 20; /* the FPU */
    __asm volatile("dsb\n\tisb" ::: "memory");
    for (volatile uint32_t *to = bss_start; to < bss_end; ++to) *to = 0u;
    const uint32_t status = (uint32_t)main();
    for (;;) NOC->ended = status;
}

static void fault(void)
{
    for (;;) NOC->ended = 0xFFFFFFFFu;
}

typedef void (*vector_t)(void);

static const struct {
    const uint32_t *stack_top;
    vector_t handlers[15];
} vectors __attribute__((section(".vectors"), used)) = {stack_top,
                                                        {reset, fault, fault, fault, fault, fault,
                                                         fault, fault, fault, fault, fault, fault,
                                                         fault, fault, fault}};
