/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise convolution 3x3, stride 1 across: two or three neighbouring pixels by two channels at a
 * time, so that a column is read once for all of them. One pixel alone would be a third loop.
 *
 * A packed stream holds for every four channels, in words:
 *
 *   2    biases of channels 0 and 2
 *   9    for each tap the weights of all four, a byte each
 *   4    multipliers of channels 0 and 2, their scales, as weft_requantize_prepared wants them
 *   6    biases, multipliers and scales of channels 1 and 3 */
#include "limits.h"
#include "weft/dsp.h"
#include "weft/micro_kernels.h"

/* Neighbouring pixels of one row, all channels. */
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
#define WEIGHTS(rotate)               \
    "ldm r1!, {r5-r7}\n"              \
    "sxtb16 r5, r5" rotate "\n"       \
    "sxtb16 r6, r6" rotate "\n"       \
    "sxtb16 r7, r7" rotate "\n"

#define ROW_2(rotate)                                                            \
    WEIGHTS(rotate) LOAD("r0", rotate) ADD("r8", "r11", "r5")                    \
    LOAD("r0, r2", rotate) ADD("r8", "r11", "r6") ADD("r9", "r12", "r5")         \
    LOAD("r0, r2, lsl #1", rotate) ADD("r8", "r11", "r7") ADD("r9", "r12", "r6") \
    LOAD("r0, r3", rotate) ADD("r9", "r12", "r7")
#define ROW_3(rotate)                                                            \
    WEIGHTS(rotate) LOAD("r0", rotate) ADD("r8", "r11", "r5")                    \
    LOAD("r0, r2", rotate) ADD("r8", "r11", "r6") ADD("r9", "r12", "r5")         \
    LOAD("r0, r2, lsl #1", rotate) ADD("r8", "r11", "r7") ADD("r9", "r12", "r6") \
    ADD("r10", "lr", "r5")                                                       \
    LOAD("r0, r3", rotate) ADD("r9", "r12", "r7") ADD("r10", "lr", "r6")         \
    LOAD("r0, r2, lsl #2", rotate) ADD("r10", "lr", "r7")

#define NEXT_ROW "ldr r4, [sp, #16]\n" "add r0, r0, r4\n"

/* r4 to r7 multipliers and scales, r0 the zero point. */
#define BYTES(a, b)                      \
    "smmlar " a ", " a ", r4, " a "\n"   \
    "smmlar " b ", " b ", r5, " b "\n"   \
    "add " a ", " a ", " a ", asr #31\n" \
    "add " b ", " b ", " b ", asr #31\n" \
    "smmlar " a ", " a ", r6, r0\n"      \
    "smmlar " b ", " b ", r7, r0\n"      \
    "ssat " a ", #8, " a "\n"            \
    "ssat " b ", #8, " b "\n"
/* r3 where the first channel goes, r0 from pixel to pixel. */
#define STORE(a, b) "strb " a ", [r3]\n" "strb " b ", [r3, #2]\n"
#define NEXT_PIXEL "add r3, r3, r0\n"

#define COPIES_2 "mov r9, r8\n" "mov r12, r11\n"
#define COPIES_3 COPIES_2 "mov r10, r8\n" "mov lr, r11\n"
#define END_2 BYTES("r8", "r11") BYTES("r9", "r12")
#define END_3 END_2 BYTES("r10", "lr")
#define STORE_2 STORE("r8", "r11") NEXT_PIXEL STORE("r9", "r12")
#define STORE_3 STORE_2 NEXT_PIXEL STORE("r10", "lr")

/* Two of the four channels, from byte `first` on. It is `bias` bytes from their biases to the
 * weights; `tail` moves from behind the weights to their multipliers. */
#define HALF(n, rotate, first, bias, tail)                     \
    "ldrd r8, r11, [r1], #" bias "\n" COPIES_##n               \
    "ldr r0, [sp]\n"                                           \
    "add r3, r2, r2, lsl #1\n"                                 \
    ".irp row, 1, 2, 3\n" ROW_##n(rotate)                      \
    ".if \\row < 3\n" NEXT_ROW ".endif\n.endr\n"               \
    tail "ldm r1!, {r4-r7}\n"                                  \
    "ldr r0, [sp, #24]\n" END_##n "ldr r3, [sp, #8]\n"         \
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
                   "1:\n" HALF(n, "", "", "8", "")                                         \
                   HALF(n, ", ror #8", "add r3, r3, #1\n", "-52", "add r1, r1, #24\n")     \
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

__attribute__((naked)) static void strip_2(UNUSED const strip_t *strip)
{
    STRIP(2);
}

__attribute__((naked)) static void strip_3(UNUSED const strip_t *strip)
{
    STRIP(3);
}

/* All pixels of `rows` rows, at least two in each. */
static void compute(strip_t strip, int32_t rows, int32_t columns, int32_t x_down, int32_t out_row)
{
    for (int32_t row = 0; row < rows; ++row) {
        strip_t next = strip;
        for (int32_t left = columns, width; left > 0; left -= width) {
            width = left == 2 || left == 4 ? 2 : 3;
            if (width == 3)
                strip_3(&next);
            else
                strip_2(&next);
            next.x += width * strip.x_pixel;
            next.out += width * strip.out_pixel;
        }
        strip.x += x_down;
        strip.out += out_row;
    }
}

#else /* WEFT_DSP */

/* What four channels need, in their order. */
typedef struct quad {
    int32_t bias[4], weights[9][4], multiplier[4], scale[4];
} quad_t;

static const uint32_t *unpack(const uint32_t *stream, quad_t *quad)
{
    const uint32_t *const taps = stream + 2, *const behind = taps + 9;
    for (int i = 0; i < 4; ++i) {
        const int second = i >> 1;
        const uint32_t *const bias = (i & 1) == 0 ? stream : behind + 4;
        const uint32_t *const multiplier = (i & 1) == 0 ? behind : behind + 6;
        quad->bias[i] = (int32_t)bias[second];
        quad->multiplier[i] = (int32_t)multiplier[second];
        quad->scale[i] = (int32_t)multiplier[2 + second];
        for (int tap = 0; tap < 9; ++tap) quad->weights[tap][i] = (int8_t)(taps[tap] >> (8 * i));
    }
    return behind + 10;
}

static void compute_pixel(const int8_t *x, const strip_t *strip, const quad_t *quad, int8_t *out)
{
    int32_t sums[4];
    for (int i = 0; i < 4; ++i) sums[i] = quad->bias[i];
    for (int down = 0; down < 3; ++down, x += strip->x_row) {
        for (int across = 0; across < 3; ++across) {
            const int8_t *const at = x + across * strip->x_pixel;
            for (int i = 0; i < 4; ++i)
                sums[i] = weft_add_wrap(sums[i], at[i] * quad->weights[3 * down + across][i]);
        }
    }
    for (int i = 0; i < 4; ++i)
        out[i] = (int8_t)weft_requantize_prepared(sums[i], quad->multiplier[i], quad->scale[i],
                                                  strip->zero_point);
}

/* All pixels of `rows` rows; weights are unpacked once. */
static void compute(strip_t strip, int32_t rows, int32_t columns, int32_t x_down, int32_t out_row)
{
    for (int32_t number = 0; number < strip.quads; ++number) {
        const int32_t back = number > 0 && number == strip.quads - 1 ? strip.back : 0;
        const int8_t *const x = strip.x + 4 * number - back;
        int8_t *const out = strip.out + 4 * number - back;
        quad_t quad;
        strip.stream = unpack(strip.stream, &quad);
        for (int32_t row = 0; row < rows; ++row) {
            for (int32_t column = 0; column < columns; ++column) {
                compute_pixel(x + row * x_down + column * strip.x_pixel, &strip, &quad,
                              out + row * out_row + column * strip.out_pixel);
            }
        }
    }
}

#endif /* WEFT_DSP */

void weft_depthwise_3x3_s8(const int8_t *x, const int32_t *packed, int8_t *out, int32_t out_h,
                           int32_t out_w, int32_t channels, int32_t x_row, int32_t x_pixel,
                           int32_t x_down, int32_t out_row, int32_t out_pixel, int32_t zero_point,
                           int32_t low, int32_t high)
{
    const weft_limits_t limits = weft_limits(low, high);
    const int32_t quads = (channels + 3) >> 2;
    const strip_t strip = {
        .x = x,
        .stream = (const uint32_t *)packed,
        .out = out,
        .x_pixel = x_pixel,
        .x_row = x_row,
        .out_pixel = out_pixel,
        .zero_point = zero_point,
        .back = 4 * quads - channels,
        .quads = quads,
    };
    compute(strip, out_h, out_w, x_down, out_row);
    if (low <= -128 && high >= 127) return;
    for (int32_t row = 0; row < out_h; ++row) {
        for (int32_t column = 0; column < out_w; ++column)
            weft_limit(out + row * out_row + column * out_pixel, channels, &limits);
    }
}
