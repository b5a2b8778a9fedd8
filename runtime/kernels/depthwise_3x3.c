/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise convolution 3x3, stride 1 across: up to three neighbouring pixels by two channels at a
 * time, so that a column is read once for all of them.
 *
 * A packed stream holds for every four channels first what channels 0 and 2 need, then the same of
 * 1 and 3: two doubled biases, nine words of two doubled weights, two multipliers, two scales. */
#include <stdbool.h>

#include "limits.h"
#include "weft/dsp.h"
#include "weft/micro_kernels.h"

/* One to three pixels of one row, all channels. */
typedef struct strip {
    const int8_t *x;
    const uint32_t *stream;
    int8_t *out;
    int32_t x_pixel, x_row, out_pixel;
    int32_t zero_point;
    int32_t back; /* what the last four channels overlap with those before */
    int32_t quads;
} strip_t;

#if WEFT_DSP

#define UNUSED __attribute__((unused)) /* but in assembly, by its register */

/* A line a step. */
/* clang-format off */

/* r0 the row, r2 from pixel to pixel, r3 three times that; r4 a column, r5 to r7 the weights;
 * r8 to r10 the sums of the first channel, r11, r12 and lr those of the second. */
#define LOAD(address, rotate) "ldr r4, [" address "]\n" "sxtb16 r4, r4" rotate "\n"
#define ADD(a, b, weights)                    \
    "smlabb " a ", r4, " weights ", " a "\n"  \
    "smlatt " b ", r4, " weights ", " b "\n"
#define WEIGHTS "ldm r1!, {r5-r7}\n"

#define ROW_1(rotate)                                      \
    WEIGHTS LOAD("r0", rotate) ADD("r8", "r11", "r5")      \
    LOAD("r0, r2", rotate) ADD("r8", "r11", "r6")          \
    LOAD("r0, r2, lsl #1", rotate) ADD("r8", "r11", "r7")
#define ROW_2(rotate)                                                            \
    WEIGHTS LOAD("r0", rotate) ADD("r8", "r11", "r5")                            \
    LOAD("r0, r2", rotate) ADD("r8", "r11", "r6") ADD("r9", "r12", "r5")         \
    LOAD("r0, r2, lsl #1", rotate) ADD("r8", "r11", "r7") ADD("r9", "r12", "r6") \
    LOAD("r0, r3", rotate) ADD("r9", "r12", "r7")
#define ROW_3(rotate)                                                            \
    WEIGHTS LOAD("r0", rotate) ADD("r8", "r11", "r5")                            \
    LOAD("r0, r2", rotate) ADD("r8", "r11", "r6") ADD("r9", "r12", "r5")         \
    LOAD("r0, r2, lsl #1", rotate) ADD("r8", "r11", "r7") ADD("r9", "r12", "r6") \
    ADD("r10", "lr", "r5")                                                       \
    LOAD("r0, r3", rotate) ADD("r9", "r12", "r7") ADD("r10", "lr", "r6")         \
    LOAD("r0, r2, lsl #2", rotate) ADD("r10", "lr", "r7")

#define NEXT_ROW "ldr r4, [sp, #16]\n" "add r0, r0, r4\n"

/* r4 to r7 multipliers and scales, r0 the zero point. */
#define BYTES(a, b)                      \
    "smmulr " a ", " a ", r4\n"          \
    "smmulr " b ", " b ", r5\n"          \
    "add " a ", " a ", " a ", asr #31\n" \
    "add " b ", " b ", " b ", asr #31\n" \
    "smmlar " a ", " a ", r6, r0\n"      \
    "smmlar " b ", " b ", r7, r0\n"      \
    "ssat " a ", #8, " a "\n"            \
    "ssat " b ", #8, " b "\n"
/* r3 where the first channel goes, r0 from pixel to pixel. */
#define STORE(a, b) "strb " a ", [r3]\n" "strb " b ", [r3, #2]\n"
#define NEXT_PIXEL "add r3, r3, r0\n"

#define START "ldr r0, [sp]\n" "ldrd r8, r11, [r1], #8\n" "add r3, r2, r2, lsl #1\n"
#define COPIES_1 ""
#define COPIES_2 "mov r9, r8\n" "mov r12, r11\n"
#define COPIES_3 COPIES_2 "mov r10, r8\n" "mov lr, r11\n"
#define END_1 BYTES("r8", "r11")
#define END_2 END_1 BYTES("r9", "r12")
#define END_3 END_2 BYTES("r10", "lr")
#define STORE_1 STORE("r8", "r11")
#define STORE_2 STORE_1 NEXT_PIXEL STORE("r9", "r12")
#define STORE_3 STORE_2 NEXT_PIXEL STORE("r10", "lr")

/* Two of the four channels, from byte `first` on. */
#define HALF(n, rotate, first)                                                            \
    START COPIES_##n ".irp row, 1, 2, 3\n" ROW_##n(rotate)                                \
    ".if \\row < 3\n" NEXT_ROW ".endif\n.endr\n"                                         \
    "ldm r1!, {r4-r7}\n"                                                                  \
    "ldr r0, [sp, #24]\n" END_##n "ldr r3, [sp, #8]\n"                                    \
    "ldr r0, [sp, #20]\n" first STORE_##n

/* The structure lies on the stack; x and out in it move on. Before the last four channels, both
 * move back by what these overlap with those before. */
#define STRIP(n)                                                                           \
    __asm volatile("push {r4-r11, lr}\n"                                                   \
                   "sub sp, sp, #36\n"                                                     \
                   "ldm r0, {r4-r12}\n"                                                    \
                   "stm sp, {r4-r12}\n"                                                    \
                   "mov r1, r5\n"                                                          \
                   "mov r2, r7\n"                                                          \
                   "1:\n" HALF(n, "", "") HALF(n, ", ror #8", "add r3, r3, #1\n")          \
                   "ldr r3, [sp, #32]\n"                                                   \
                   "ldr r0, [sp]\n"                                                        \
                   "ldr r4, [sp, #8]\n"                                                    \
                   "add r0, r0, #4\n"                                                      \
                   "add r4, r4, #4\n"                                                      \
                   "subs r3, r3, #1\n"                                                     \
                   "beq 3f\n"                                                              \
                   "cmp r3, #1\n"                                                          \
                   "bne 2f\n"                                                              \
                   "ldr r5, [sp, #28]\n"                                                   \
                   "sub r0, r0, r5\n"                                                      \
                   "sub r4, r4, r5\n"                                                      \
                   "2:\n"                                                                  \
                   "str r3, [sp, #32]\n"                                                   \
                   "str r0, [sp]\n"                                                        \
                   "str r4, [sp, #8]\n"                                                    \
                   "b 1b\n"                                                                \
                   "3:\n"                                                                  \
                   "add sp, sp, #36\n"                                                     \
                   "pop {r4-r11, pc}\n")

/* clang-format on */

__attribute__((naked)) static void strip_1(UNUSED const strip_t *strip)
{
    STRIP(1);
}

__attribute__((naked)) static void strip_2(UNUSED const strip_t *strip)
{
    STRIP(2);
}

__attribute__((naked)) static void strip_3(UNUSED const strip_t *strip)
{
    STRIP(3);
}

#else /* WEFT_DSP */

static void pixels(const strip_t *strip, int count)
{
    const uint32_t *stream = strip->stream;
    for (int32_t quad = 0; quad < strip->quads; ++quad) {
        const int32_t back = quad > 0 && quad == strip->quads - 1 ? strip->back : 0;
        for (int32_t half = 0; half < 2; ++half, stream += 15) {
            for (int i = 0; i < count; ++i) {
                const int32_t first = 4 * quad - back + half;
                const int8_t *x = strip->x + i * strip->x_pixel + first;
                int8_t *out = strip->out + i * strip->out_pixel + first;
                for (int32_t c = 0; c < 2; ++c) {
                    int32_t sum = (int32_t)stream[c];
                    for (int32_t tap = 0; tap < 9; ++tap) {
                        const int8_t *at =
                            x + tap / 3 * strip->x_row + tap % 3 * strip->x_pixel + 2 * c;
                        const int32_t weight = (int16_t)(stream[2 + tap] >> (16 * c));
                        sum = (int32_t)((uint32_t)sum + (uint32_t)(*at * weight));
                    }
                    out[2 * c] = (int8_t)weft_requantize_doubled(
                        sum, (int32_t)stream[11 + c], (int32_t)stream[13 + c], strip->zero_point);
                }
            }
        }
    }
}

static void strip_1(const strip_t *strip)
{
    pixels(strip, 1);
}

static void strip_2(const strip_t *strip)
{
    pixels(strip, 2);
}

static void strip_3(const strip_t *strip)
{
    pixels(strip, 3);
}

#endif /* WEFT_DSP */

void weft_depthwise_3x3_s8(const int8_t *x, const int32_t *packed, int8_t *out, int32_t out_h,
                           int32_t out_w, int32_t channels, int32_t x_row, int32_t x_pixel,
                           int32_t x_down, int32_t out_row, int32_t out_pixel, int32_t zero_point,
                           int32_t low, int32_t high)
{
    const weft_limits_t limits = weft_limits(low, high);
    const bool is_limited = low > -128 || high < 127;
    const int32_t quads = (channels + 3) >> 2;
    for (int32_t row = 0; row < out_h; ++row) {
        strip_t strip = {x + row * x_down,
                         (const uint32_t *)packed,
                         out + row * out_row,
                         x_pixel,
                         x_row,
                         out_pixel,
                         zero_point,
                         4 * quads - channels,
                         quads};
        for (int32_t left = out_w; left > 0; left -= 3) {
            if (left >= 3)
                strip_3(&strip);
            else if (left == 2)
                strip_2(&strip);
            else
                strip_1(&strip);
            strip.x += 3 * x_pixel;
            strip.out += 3 * out_pixel;
        }
        if (!is_limited) continue;
        for (int32_t column = 0; column < out_w; ++column)
            weft_limit(out + row * out_row + column * out_pixel, channels, &limits);
    }
}
