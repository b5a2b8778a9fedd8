/* SPDX-License-Identifier: Apache-2.0 */
#include "dot.h"

#include "weft/dsp.h"

#if WEFT_DSP

/* Assembly, since the loop of weft_dot_2x4 wants every register of the core: eight sums, two words
 * of the vectors, two of weights, two pointers. Functions are naked: compilers know nothing of what
 * they need. Loops are unrolled, and entered so far in as the number of pairs asks for. */

#define UNUSED __attribute__((unused)) /* but in assembly, by its register */

/* Macros of instructions stand on lines of their own. */
/* clang-format off */

/* One word of each of two vectors, times four channels: 12 instructions of 4 bytes, 16 products. */
#define PAIR_2X4                  \
    "ldrd r4, r5, [r1], #8\n"     \
    "ldrd r2, r3, [r0], #8\n"     \
    "smlad r6, r2, r4, r6\n"      \
    "smlad r7, r3, r4, r7\n"      \
    "smlad r10, r2, r5, r10\n"    \
    "smlad r11, r3, r5, r11\n"    \
    "sxtb16 r4, r4\n"             \
    "sxtb16 r5, r5\n"             \
    "smlad r8, r2, r4, r8\n"      \
    "smlad r9, r3, r4, r9\n"      \
    "smlad r12, r2, r5, r12\n"    \
    "smlad lr, r3, r5, lr\n"

/* Two channels of two vectors from their sums to bytes. A of both in a0, a1, the other channel's
 * sums in d0, d1; r4 is the zero point, r0 and r5 where the results go. */
#define STORE_2X2(a0, a1, d0, d1)             \
    "sub " a0 ", " a0 ", " d0 "\n"            \
    "sub " a1 ", " a1 ", " d1 "\n"            \
    "asr " a0 ", " a0 ", #8\n"                \
    "asr " a1 ", " a1 ", #8\n"                \
    "ldrd r2, r3, [r1], #8\n"                 \
    "smmlar " a0 ", " a0 ", r2, " a0 "\n"     \
    "smmlar " a1 ", " a1 ", r2, " a1 "\n"     \
    "smmlar " d0 ", " d0 ", r3, " d0 "\n"     \
    "smmlar " d1 ", " d1 ", r3, " d1 "\n"     \
    "add " a0 ", " a0 ", " a0 ", asr #31\n"   \
    "add " a1 ", " a1 ", " a1 ", asr #31\n"   \
    "add " d0 ", " d0 ", " d0 ", asr #31\n"   \
    "add " d1 ", " d1 ", " d1 ", asr #31\n"   \
    "ldrd r2, r3, [r1], #8\n"                 \
    "smmlar " a0 ", " a0 ", r2, r4\n"         \
    "smmlar " a1 ", " a1 ", r2, r4\n"         \
    "smmlar " d0 ", " d0 ", r3, r4\n"         \
    "smmlar " d1 ", " d1 ", r3, r4\n"         \
    "ssat " a0 ", #8, " a0 "\n"               \
    "ssat " a1 ", #8, " a1 "\n"               \
    "ssat " d0 ", #8, " d0 "\n"               \
    "ssat " d1 ", #8, " d1 "\n"               \
    "strb " d0 ", [r0], #1\n"                 \
    "strb " a0 ", [r0], #1\n"                 \
    "strb " d1 ", [r5], #1\n"                 \
    "strb " a1 ", [r5], #1\n"

/* On the stack: x, its end, the stream's end, where the loop is entered, out0, out1, zero point. */
__attribute__((naked)) void weft_dot_2x4(UNUSED const weft_dot_t *dot)
{
    __asm volatile("push {r4-r11, lr}\n"
                   "sub sp, sp, #28\n"
                   "ldm r0, {r1-r6, r8}\n" /* x, stream, end, pairs, out0, out1, zero point */
                   "add r9, r1, r4, lsl #3\n"
                   "negs r4, r4\n"
                   "and r4, r4, #7\n"
                   "add r4, r4, r4, lsl #1\n" /* units to skip, of 48 bytes */
                   "adr.w r7, 2f\n"
                   "add r4, r7, r4, lsl #4\n"
                   "orr r4, r4, #1\n"
                   "strd r1, r9, [sp]\n"
                   "strd r3, r4, [sp, #8]\n"
                   "strd r5, r6, [sp, #16]\n"
                   "str r8, [sp, #24]\n"
                   "mov r1, r2\n"
                   "1:\n"
                   "ldm.w r1!, {r6, r8, r10, r12}\n"
                   "mov r7, r6\n"
                   "mov r9, r8\n"
                   "mov r11, r10\n"
                   "mov lr, r12\n"
                   "ldr r0, [sp]\n"
                   "ldr pc, [sp, #12]\n"
                   ".balign 4\n"
                   "2:\n"
                   ".rept 8\n"
                   PAIR_2X4
                   ".endr\n"
                   "ldr r2, [sp, #4]\n"
                   "cmp r0, r2\n"
                   "bne 2b\n"
                   "ldrd r0, r5, [sp, #16]\n"
                   "ldr r4, [sp, #24]\n"
                   STORE_2X2("r6", "r7", "r8", "r9")
                   STORE_2X2("r10", "r11", "r12", "lr")
                   "strd r0, r5, [sp, #16]\n"
                   "ldr r2, [sp, #8]\n"
                   "cmp r1, r2\n"
                   "bne 1b\n"
                   "add sp, sp, #28\n"
                   "pop {r4-r11, pc}\n");
}

/* Two words of one vector, times four channels: 14 instructions of 4 bytes, 16 products. */
#define PAIRS_1X4               \
    "ldm.w r1!, {r2-r5}\n"      \
    "ldrd r10, r11, [r0], #8\n" \
    "smlad r6, r10, r2, r6\n"   \
    "smlad r8, r10, r3, r8\n"   \
    "smlad r6, r11, r4, r6\n"   \
    "smlad r8, r11, r5, r8\n"   \
    "sxtb16 r2, r2\n"           \
    "sxtb16 r3, r3\n"           \
    "sxtb16 r4, r4\n"           \
    "sxtb16 r5, r5\n"           \
    "smlad r7, r10, r2, r7\n"   \
    "smlad r9, r10, r3, r9\n"   \
    "smlad r7, r11, r4, r7\n"   \
    "smlad r9, r11, r5, r9\n"

/* On the stack: x, its end, the stream's end, where the loop is entered, out0, zero point. */
__attribute__((naked)) void weft_dot_1x4(UNUSED const weft_dot_t *dot)
{
    __asm volatile("push {r4-r11, lr}\n"
                   "sub sp, sp, #28\n"
                   "ldm r0, {r1-r6, r8}\n"
                   "add r9, r1, r4, lsl #2\n"
                   "negs r4, r4\n"
                   "and r4, r4, #7\n"
                   "rsb r4, r4, r4, lsl #3\n" /* pairs to skip, of 28 bytes */
                   "adr.w r7, 2f\n"
                   "add r4, r7, r4, lsl #2\n"
                   "orr r4, r4, #1\n"
                   "strd r1, r9, [sp]\n"
                   "strd r3, r4, [sp, #8]\n"
                   "strd r5, r8, [sp, #16]\n"
                   "mov r1, r2\n"
                   "1:\n"
                   "ldm.w r1!, {r6-r9}\n"
                   "ldr r0, [sp]\n"
                   "ldr r12, [sp, #4]\n"
                   "ldr pc, [sp, #12]\n"
                   ".balign 4\n"
                   "2:\n"
                   ".rept 4\n"
                   PAIRS_1X4
                   ".endr\n"
                   "cmp r0, r12\n"
                   "bne 2b\n"
                   "sub r6, r6, r7\n"
                   "sub r8, r8, r9\n"
                   "ldm.w r1!, {r2-r5, r10-r12, lr}\n"
                   "asr r6, r6, #8\n"
                   "asr r8, r8, #8\n"
                   "smmlar r6, r6, r2, r6\n"
                   "smmlar r7, r7, r3, r7\n"
                   "smmlar r8, r8, r10, r8\n"
                   "smmlar r9, r9, r11, r9\n"
                   "ldrd r0, r2, [sp, #16]\n"
                   "add r6, r6, r6, asr #31\n"
                   "add r7, r7, r7, asr #31\n"
                   "add r8, r8, r8, asr #31\n"
                   "add r9, r9, r9, asr #31\n"
                   "smmlar r6, r6, r4, r2\n"
                   "smmlar r7, r7, r5, r2\n"
                   "smmlar r8, r8, r12, r2\n"
                   "smmlar r9, r9, lr, r2\n"
                   "ssat r6, #8, r6\n"
                   "ssat r7, #8, r7\n"
                   "ssat r8, #8, r8\n"
                   "ssat r9, #8, r9\n"
                   "strb r7, [r0], #1\n"
                   "strb r6, [r0], #1\n"
                   "strb r9, [r0], #1\n"
                   "strb r8, [r0], #1\n"
                   "ldr r2, [sp, #8]\n"
                   "str r0, [sp, #16]\n"
                   "cmp r1, r2\n"
                   "bne 1b\n"
                   "add sp, sp, #28\n"
                   "pop {r4-r11, pc}\n");
}

#define WIDEN_2                   \
    "ldr r12, [r0], #4\n"         \
    "ldr r7, [r1], #4\n"          \
    "sxtb16 r4, r12\n"            \
    "sxtb16 r5, r7\n"             \
    "sxtb16 r6, r12, ror #8\n"    \
    "sxtb16 r7, r7, ror #8\n"     \
    "stm r2!, {r4-r7}\n"

__attribute__((naked)) uint32_t *weft_widen_2(UNUSED const int8_t *x0,
                                              UNUSED const int8_t *x1, UNUSED uint32_t *to,
                                              UNUSED int32_t words)
{
    __asm volatile("push {r4-r7}\n"
                   "lsrs r3, r3, #1\n"
                   "bcc 2f\n"
                   WIDEN_2
                   "2:\n"
                   "cbz r3, 3f\n"
                   "1:\n"
                   WIDEN_2
                   WIDEN_2
                   "subs r3, r3, #1\n"
                   "bne 1b\n"
                   "3:\n"
                   "pop {r4-r7}\n"
                   "mov r0, r2\n"
                   "bx lr\n");
}

/* clang-format on */

#elif defined(__AVX2__)

#include "dot_x86.h"

#else

/* One vector, whose words are `step` apart, times four channels. */
static const uint32_t *dot_four(const uint32_t *x, uint32_t step, const weft_dot_t *dot,
                                const uint32_t *stream, int8_t *out)
{
    int32_t sums[4]; /* both channels of a word together, then the even channel alone, twice */
    for (int i = 0; i < 4; ++i) sums[i] = (int32_t)stream[i];
    stream += 4;
    for (uint32_t pair = 0; pair < dot->pairs; ++pair, stream += 2) {
        for (int i = 0; i < 2; ++i) {
            sums[2 * i] = weft_dot2(sums[2 * i], x[pair * step], stream[i]);
            sums[2 * i + 1] =
                weft_dot2(sums[2 * i + 1], x[pair * step], weft_even_bytes(stream[i]));
        }
    }
    for (int i = 0; i < 2; ++i, stream += 4) {
        const int32_t even = sums[2 * i + 1];
        const int32_t odd = (int32_t)((uint32_t)sums[2 * i] - (uint32_t)even) >> 8;
        out[2 * i] = (int8_t)weft_requantize_prepared(even, (int32_t)stream[1], (int32_t)stream[3],
                                                      dot->zero_point);
        out[2 * i + 1] = (int8_t)weft_requantize_prepared(odd, (int32_t)stream[0],
                                                          (int32_t)stream[2], dot->zero_point);
    }
    return stream;
}

void weft_dot_1x4(const weft_dot_t *dot)
{
    const uint32_t *stream = dot->stream;
    for (int8_t *out = dot->out0; stream != dot->end; out += 4)
        stream = dot_four(dot->x, 1, dot, stream, out);
}

void weft_dot_2x4(const weft_dot_t *dot)
{
    const uint32_t *stream = dot->stream;
    for (int32_t at = 0; stream != dot->end; at += 4) {
        dot_four(dot->x, 2, dot, stream, dot->out0 + at);
        stream = dot_four(dot->x + 1, 2, dot, stream, dot->out1 + at);
    }
}

uint32_t *weft_widen_2(const int8_t *x0, const int8_t *x1, uint32_t *to, int32_t words)
{
    for (; words > 0; --words, x0 += 4, x1 += 4) {
        *to++ = weft_even_bytes(weft_load4(x0));
        *to++ = weft_even_bytes(weft_load4(x1));
        *to++ = weft_odd_bytes(weft_load4(x0));
        *to++ = weft_odd_bytes(weft_load4(x1));
    }
    return to;
}

#endif
