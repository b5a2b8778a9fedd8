/* SPDX-License-Identifier: Apache-2.0 */
/* A test program: cases by name, checks that end the process, seeded random numbers.
 *
 * Every case runs in a process of its own (test_runtime_c.py gives its name as the argument), so a
 * failed check may simply exit, and a crash is charged to the right case. Without an argument all
 * cases run. A case that TEST_MAIN does not list is an unused function, which is an error. */
#ifndef WEFT_TEST_H
#define WEFT_TEST_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct test_case {
    const char *name;
    void (*run)(void);
} test_case_t;

/* What the running loop is at: printed with a failure. */
static char test_note[160];

#define TEST(name_) static void name_(void)
#define CASE(name_) {#name_, name_}

#define NOTE(...) ((void)snprintf(test_note, sizeof test_note, __VA_ARGS__))

#define CHECK(condition_) test_check((condition_) ? 1 : 0, #condition_, __FILE__, __LINE__)

/* Any integers of at most 64 bits. */
#define CHECK_EQ(actual_, expected_) \
    test_check_equal((long long)(actual_), (long long)(expected_), #actual_, __FILE__, __LINE__)

#define TEST_MAIN(...)                                                       \
    int main(int argc, char **argv)                                          \
    {                                                                        \
        static const test_case_t cases[] = {__VA_ARGS__};                    \
        return test_main(cases, sizeof cases / sizeof cases[0], argc, argv); \
    }

static inline void test_fail(const char *file, int line)
{
    fprintf(stderr, "%s:%d: %s\n", file, line, test_note);
    exit(1);
}

static inline void test_check(int holds, const char *text, const char *file, int line)
{
    if (holds) return;
    fprintf(stderr, "does not hold: %s\n", text);
    test_fail(file, line);
}

static inline void test_check_equal(long long actual, long long expected, const char *text,
                                    const char *file, int line)
{
    if (actual == expected) return;
    fprintf(stderr, "%s is %lld, not %lld\n", text, actual, expected);
    test_fail(file, line);
}

/* xorshift32; the state must not be 0. */
static inline uint32_t test_random(uint32_t *state)
{
    uint32_t x = *state;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    *state = x;
    return x;
}

/* All 32 bits, but often close to 0, to a power of two or to the ends of the range. */
static inline uint32_t test_random_extreme(uint32_t *state)
{
    const uint32_t kind = test_random(state) % 4u;
    const uint32_t near = test_random(state) % 5u - 2u;
    const uint32_t bits = test_random(state);
    const uint32_t shift = test_random(state) % 32u;
    if (kind == 0u) return bits;
    if (kind == 1u) return near;
    if (kind == 2u) return (UINT32_C(1) << shift) + near;
    return bits >> shift;
}

/* A copy in a heap block of exactly that size: reading past it is seen by a sanitizer. */
static inline void *test_exact_copy(const void *bytes, size_t size)
{
    void *block = malloc(size > 0u ? size : 1u);
    if (block == NULL) abort();
    if (size > 0u) memcpy(block, bytes, size);
    return block;
}

static inline int test_main(const test_case_t *cases, size_t count, int argc, char **argv)
{
    size_t done = 0;
    for (size_t i = 0; i < count; ++i) {
        if (argc > 1 && strcmp(argv[1], cases[i].name) != 0) continue;
        NOTE("in %s", cases[i].name);
        cases[i].run();
        ++done;
    }
    if (done == 0u) fprintf(stderr, "no such case\n");
    return done > 0u ? 0 : 2;
}

#endif /* WEFT_TEST_H */
