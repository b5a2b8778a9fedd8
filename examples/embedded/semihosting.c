/* SPDX-License-Identifier: Apache-2.0 */
#include "semihosting.h"

#include <stdint.h>

enum { SYS_WRITE0 = 0x04, SYS_EXIT = 0x18 };
enum { STOPPED_BY_ERROR = 0x20023, STOPPED_BY_EXIT = 0x20026 };

static void call(uint32_t operation, uint32_t argument)
{
    register uint32_t r0 __asm("r0") = operation;
    register uint32_t r1 __asm("r1") = argument;
    __asm volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

void host_print(const char *text)
{
    call(SYS_WRITE0, (uint32_t)(uintptr_t)text);
}

void host_print_number(int number)
{
    char text[12];
    char *at = text + sizeof text;
    unsigned rest = number < 0 ? 0u - (unsigned)number : (unsigned)number;
    *--at = '\0';
    do {
        *--at = (char)('0' + rest % 10u);
        rest /= 10u;
    } while (rest > 0u);
    if (number < 0) *--at = '-';
    host_print(at);
}

void host_exit(int ok)
{
    for (;;) call(SYS_EXIT, ok ? STOPPED_BY_EXIT : STOPPED_BY_ERROR);
}
