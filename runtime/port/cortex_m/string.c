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

void *memcpy(void *restrict to, const void *restrict from, size_t bytes)
{
    uint8_t *out = to;
    const uint8_t *in = from;
    for (; bytes >= WORD; bytes -= WORD, out += WORD, in += WORD) {
        *(word_t *)out = *(const word_t *)in;
        KEEP_THE_LOOP();
    }
    for (; bytes > 0u; --bytes) {
        *out++ = *in++;
        KEEP_THE_LOOP();
    }
    return to;
}

void *memmove(void *to, const void *from, size_t bytes)
{
    uint8_t *out = to;
    const uint8_t *in = from;
    if ((uintptr_t)out - (uintptr_t)in >= bytes) return memcpy(to, from, bytes);
    for (; bytes >= WORD; bytes -= WORD) {
        *(word_t *)(out + bytes - WORD) = *(const word_t *)(in + bytes - WORD);
        KEEP_THE_LOOP();
    }
    for (; bytes > 0u; --bytes) {
        out[bytes - 1u] = in[bytes - 1u];
        KEEP_THE_LOOP();
    }
    return to;
}

void *memset(void *to, int value, size_t bytes)
{
    uint8_t *out = to;
    const uint32_t word = (uint8_t)value * 0x01010101u;
    for (; bytes >= WORD; bytes -= WORD, out += WORD) {
        *(word_t *)out = word;
        KEEP_THE_LOOP();
    }
    for (; bytes > 0u; --bytes) {
        *out++ = (uint8_t)value;
        KEEP_THE_LOOP();
    }
    return to;
}

/* Run-time ABI for the ARM Architecture, 4.3.4. */
void __aeabi_memcpy(void *to, const void *from, size_t bytes)
{
    memcpy(to, from, bytes);
}

void __aeabi_memmove(void *to, const void *from, size_t bytes)
{
    memmove(to, from, bytes);
}

void __aeabi_memset(void *to, size_t bytes, int value)
{
    memset(to, value, bytes);
}

void __aeabi_memclr(void *to, size_t bytes)
{
    memset(to, 0, bytes);
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
