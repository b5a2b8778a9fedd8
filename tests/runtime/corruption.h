/* SPDX-License-Identifier: Apache-2.0 */
/* The fixture's tables with single words replaced, and what weft_tables_check says of them. */
#ifndef WEFT_CORRUPTION_H
#define WEFT_CORRUPTION_H

#include "fixture.h"
#include "weft_test.h"

typedef struct corruption {
    uint32_t word;
    uint32_t value;
} corruption_t;

#define COUNT_OF(array_) (sizeof(array_) / sizeof((array_)[0]))

/* The status for the fixture's tables with `count` words replaced. */
static inline weft_status_t check_with(const corruption_t *corruptions, size_t count)
{
    uint32_t *words = test_exact_copy(fixture_words, sizeof fixture_words);
    for (size_t i = 0; i < count; ++i) words[corruptions[i].word] = corruptions[i].value;
    const weft_status_t status =
        weft_tables_check((const weft_tables_t *)words, FIXTURE_WORDS, &fixture_program);
    free(words);
    return status;
}

static inline void each_is(weft_status_t expected, const corruption_t *corruptions, size_t count)
{
    for (size_t i = 0; i < count; ++i) {
        NOTE("word %u replaced by 0x%x", (unsigned)corruptions[i].word,
             (unsigned)corruptions[i].value);
        CHECK_EQ(check_with(&corruptions[i], 1u), expected);
    }
}

static inline void is_malformed(const corruption_t *corruptions, size_t count)
{
    each_is(WEFT_E_TABLES, corruptions, count);
}

#endif /* WEFT_CORRUPTION_H */
