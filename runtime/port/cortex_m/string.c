/* SPDX-License-Identifier: Apache-2.0 */
/* The functions that compilers call on their own, under their C names and under those of the ARM
 * run-time ABI. ARMv7-M loads and stores single words at any address, so words go wherever four
 * bytes are left. */
#include <string.h>

#include <stdint.h>

typedef uint32_t word_t __attribute__((may_alias, aligned(1)));

#define WORD sizeof(word_t)

/* In each loop, or the compiler would take the loop for memcpy and call the function it is in. */
#define KEEP_THE_LOOP() __asm volatile("")

/* The public functions call these and not each other: to compilers, memcpy and __aeabi_memcpy are
 * two names of one function, and a call of the one may become a call of the other. */
static void copy_up(uint8_t *to, const uint8_t *from, size_t bytes)
{
    for (; bytes >= WORD; bytes -= WORD, to += WORD, from += WORD) {
        *(word_t *)to = *(const word_t *)from;
        KEEP_THE_LOOP();
    }
    for (; bytes > 0u; --bytes) {
        *to++ = *from++;
        KEEP_THE_LOOP();
    }
}

static void copy_down(uint8_t *to, const uint8_t *from, size_t bytes)
{
    for (; bytes >= WORD; bytes -= WORD) {
        *(word_t *)(to + bytes - WORD) = *(const word_t *)(from + bytes - WORD);
        KEEP_THE_LOOP();
    }
    for (; bytes > 0u; --bytes) {
        to[bytes - 1u] = from[bytes - 1u];
        KEEP_THE_LOOP();
    }
}

static void move(uint8_t *to, const uint8_t *from, size_t bytes)
{
    /* Upwards is safe unless `to` starts within the bytes that are still to be read. */
    if ((uintptr_t)to - (uintptr_t)from >= bytes) {
        copy_up(to, from, bytes);
    } else {
        copy_down(to, from, bytes);
    }
}

static void fill(uint8_t *to, uint8_t value, size_t bytes)
{
    const uint32_t word = value * 0x01010101u;
    for (; bytes >= WORD; bytes -= WORD, to += WORD) {
        *(word_t *)to = word;
        KEEP_THE_LOOP();
    }
    for (; bytes > 0u; --bytes) {
        *to++ = value;
        KEEP_THE_LOOP();
    }
}

void *memcpy(void *restrict to, const void *restrict from, size_t bytes)
{
    copy_up(to, from, bytes);
    return to;
}

void *memmove(void *to, const void *from, size_t bytes)
{
    move(to, from, bytes);
    return to;
}

void *memset(void *to, int value, size_t bytes)
{
    fill(to, (uint8_t)value, bytes);
    return to;
}

/* Run-time ABI for the ARM Architecture, 4.3.4. */
void __aeabi_memcpy(void *to, const void *from, size_t bytes)
{
    copy_up(to, from, bytes);
}

void __aeabi_memmove(void *to, const void *from, size_t bytes)
{
    move(to, from, bytes);
}

void __aeabi_memset(void *to, size_t bytes, int value)
{
    fill(to, (uint8_t)value, bytes);
}

void __aeabi_memclr(void *to, size_t bytes)
{
    fill(to, 0u, bytes);
}

#define ALIAS(name) __attribute__((alias(#name)))
void __aeabi_memcpy4(void *to, const void *from, size_t bytes) ALIAS(__aeabi_memcpy);
void __aeabi_memcpy8(void *to, const void *from, size_t bytes) ALIAS(__aeabi_memcpy);
void __aeabi_memmove4(void *to, const void *from, size_t bytes) ALIAS(__aeabi_memmove);
void __aeabi_memmove8(void *to, const void *from, size_t bytes) ALIAS(__aeabi_memmove);
void __aeabi_memset4(void *to, size_t bytes, int value) ALIAS(__aeabi_memset);
void __aeabi_memset8(void *to, size_t bytes, int value) ALIAS(__aeabi_memset);
void __aeabi_memclr4(void *to, size_t bytes) ALIAS(__aeabi_memclr);
void __aeabi_memclr8(void *to, size_t bytes) ALIAS(__aeabi_memclr);
