/* SPDX-License-Identifier: Apache-2.0 */
/* From reset to main, and from any fault to the end: nothing of Weft in it. */
#include <stdint.h>

#include "semihosting.h"

extern uint32_t data_start[], data_end[], bss_start[], bss_end[], stack_top[];
extern const uint32_t data_load[];

int main(void);
void reset(void);

void reset(void)
{
    *(volatile uint32_t *)0xE000ED88u |= 0xFu << 20; /* the FPU, which any function may use */
    __asm volatile("dsb\n\tisb" ::: "memory");
    const uint32_t *from = data_load;
    for (volatile uint32_t *to = data_start; to < data_end; ++to) *to = *from++;
    for (volatile uint32_t *to = bss_start; to < bss_end; ++to) *to = 0u;
    host_exit(main() == 0);
}

static void fault(void)
{
    host_print("a fault of the processor\n");
    host_exit(0);
}

typedef void (*vector_t)(void);

static const struct {
    const uint32_t *stack_top;
    vector_t handlers[15];
} vectors __attribute__((section(".vectors"), used)) = {stack_top,
                                                        {reset, fault, fault, fault, fault, fault,
                                                         fault, fault, fault, fault, fault, fault,
                                                         fault, fault, fault}};
