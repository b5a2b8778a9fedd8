/* SPDX-License-Identifier: Apache-2.0 */
/* weft_tables_check against single, deliberate corruptions. */
#include "fixture.h"
#include "weft_test.h"

typedef struct corruption {
    uint32_t word;
    uint32_t value;
} corruption_t;

#define COUNT_OF(array_) (sizeof(array_) / sizeof((array_)[0]))

/* The status for the fixture's tables with `count` words replaced. */
static weft_status_t check_with(const corruption_t *corruptions, size_t count)
{
    uint32_t *words = test_exact_copy(fixture_words, sizeof fixture_words);
    for (size_t i = 0; i < count; ++i) words[corruptions[i].word] = corruptions[i].value;
    const weft_status_t status =
        weft_tables_check((const weft_tables_t *)words, FIXTURE_WORDS, &fixture_program);
    free(words);
    return status;
}

static void each_is(weft_status_t expected, const corruption_t *corruptions, size_t count)
{
    for (size_t i = 0; i < count; ++i) {
        NOTE("word %u replaced by 0x%x", (unsigned)corruptions[i].word,
             (unsigned)corruptions[i].value);
        CHECK_EQ(check_with(&corruptions[i], 1u), expected);
    }
}

static uint32_t in_channel(uint32_t channel, uint32_t field)
{
    return AT_CHANNELS + channel * ROW_WORDS + field;
}

TEST(valid_tables_pass)
{
    CHECK_EQ(check_with(NULL, 0u), WEFT_OK);
}

TEST(more_words_than_needed_are_no_fault)
{
    uint32_t words[FIXTURE_WORDS + 3] = {0};
    memcpy(words, fixture_words, sizeof fixture_words);
    CHECK_EQ(weft_tables_check((const weft_tables_t *)words, FIXTURE_WORDS + 3u, &fixture_program),
             WEFT_OK);
    words[AT_WORD_COUNT] += 3u;
    CHECK_EQ(weft_tables_check((const weft_tables_t *)words, FIXTURE_WORDS + 3u, &fixture_program),
             WEFT_OK);
}

TEST(null_pointers_are_bad_arguments)
{
    const weft_tables_t *tables = (const weft_tables_t *)fixture_words;
    weft_program_t program = fixture_program;
    CHECK_EQ(weft_tables_check(NULL, FIXTURE_WORDS, &fixture_program), WEFT_E_ARGUMENT);
    CHECK_EQ(weft_tables_check(tables, FIXTURE_WORDS, NULL), WEFT_E_ARGUMENT);
    program.kernels = NULL;
    CHECK_EQ(weft_tables_check(tables, FIXTURE_WORDS, &program), WEFT_E_ARGUMENT);
}

/* Each length in a block that holds no more: nothing behind it may be read. */
TEST(every_truncation_is_refused)
{
    for (uint32_t words = 0; words < FIXTURE_WORDS; ++words) {
        NOTE("%u words", (unsigned)words);
        void *block = test_exact_copy(fixture_words, words * sizeof(uint32_t));
        CHECK_EQ(weft_tables_check(block, words, &fixture_program), WEFT_E_TABLES);
        free(block);
    }
}

TEST(every_shorter_word_count_is_refused)
{
    for (uint32_t words = 0; words < FIXTURE_WORDS; ++words) {
        const corruption_t corruption = {AT_WORD_COUNT, words};
        each_is(WEFT_E_TABLES, &corruption, 1u);
    }
}

TEST(another_magic_is_refused)
{
    for (uint32_t bit = 0; bit < 32u; ++bit) {
        const corruption_t corruption = {AT_MAGIC, WEFT_TABLES_MAGIC ^ (UINT32_C(1) << bit)};
        each_is(WEFT_E_TABLES, &corruption, 1u);
    }
}

TEST(another_version_of_tables_or_program_is_refused)
{
    static const corruption_t versions[] = {
        {AT_VERSION, 0u}, {AT_VERSION, WEFT_TABLES_VERSION + 1u}, {AT_VERSION, UINT32_MAX}};
    weft_program_t program = fixture_program;
    each_is(WEFT_E_VERSION, versions, COUNT_OF(versions));
    program.tables_version = WEFT_TABLES_VERSION + 1u;
    CHECK_EQ(weft_tables_check((const weft_tables_t *)fixture_words, FIXTURE_WORDS, &program),
             WEFT_E_VERSION);
}

TEST(sections_must_lie_behind_the_head_and_before_the_end)
{
    static const uint32_t starts[] = {AT_CHANNELS_AT, AT_TASKS_AT, AT_CALLS_AT, AT_ARGS_AT};
    static const uint32_t bad[] = {
        0u,          12u,         FIXTURE_WORDS,   FIXTURE_WORDS + 1u, UINT32_MAX,
        0x40000000u, 0x80000000u, UINT32_MAX - 2u, FIXTURE_WORDS - 1u};
    for (size_t i = 0; i < COUNT_OF(starts); ++i) {
        for (size_t j = 0; j < COUNT_OF(bad); ++j) {
            const corruption_t corruption = {starts[i], bad[j]};
            each_is(WEFT_E_TABLES, &corruption, 1u);
        }
    }
}

/* Among them counts whose number of words is small modulo 2^32. */
TEST(sections_must_not_be_longer_than_the_tables)
{
    static const corruption_t counts[] = {
        {AT_CHANNEL_COUNT, 9u},         {AT_CHANNEL_COUNT, 0x33333334u},
        {AT_CHANNEL_COUNT, UINT32_MAX}, {AT_TASK_COUNT, 15u},
        {AT_TASK_COUNT, 0x80000000u},   {AT_TASK_COUNT, 0x80000001u},
        {AT_TASK_COUNT, UINT32_MAX},    {AT_CALL_COUNT, 12u},
        {AT_CALL_COUNT, 0x80000000u},   {AT_CALL_COUNT, 0x80000004u},
        {AT_CALL_COUNT, UINT32_MAX},    {AT_ARGS_COUNT, 15u},
        {AT_ARGS_COUNT, UINT32_MAX},    {AT_WORD_COUNT, FIXTURE_WORDS + 1u},
        {AT_WORD_COUNT, UINT32_MAX},
    };
    each_is(WEFT_E_TABLES, counts, COUNT_OF(counts));
}

/* Rows of zeros are tasks without calls: only the length of the section can refuse them. */
TEST(a_section_of_2_32_words_is_not_an_empty_one)
{
    enum { ROWS = 8, WORDS = AT_CHANNELS + 2 * ROWS };
    uint32_t words[WORDS] = {WEFT_TABLES_MAGIC, WEFT_TABLES_VERSION, WORDS};
    words[AT_CHANNELS_AT] = WORDS;
    words[AT_TASKS_AT] = AT_CHANNELS;
    words[AT_CALLS_AT] = WORDS;
    words[AT_ARGS_AT] = WORDS;
    static const uint32_t counts[] = {ROWS, ROWS + 1u, 0x80000000u, 0x80000000u + ROWS};
    for (size_t i = 0; i < COUNT_OF(counts); ++i) {
        NOTE("0x%x tasks", (unsigned)counts[i]);
        words[AT_TASK_COUNT] = counts[i];
        void *block = test_exact_copy(words, sizeof words);
        const weft_status_t expected = counts[i] == ROWS ? WEFT_OK : WEFT_E_TABLES;
        CHECK_EQ(weft_tables_check(block, WORDS, &fixture_program), expected);
        free(block);
    }
}

TEST(empty_sections_may_lie_at_the_very_end)
{
    static const corruption_t none[] = {{AT_CHANNEL_COUNT, 0u}, {AT_CHANNELS_AT, FIXTURE_WORDS},
                                        {AT_TASK_COUNT, 0u},    {AT_TASKS_AT, FIXTURE_WORDS},
                                        {AT_CALL_COUNT, 0u},    {AT_CALLS_AT, FIXTURE_WORDS},
                                        {AT_ARGS_COUNT, 0u},    {AT_ARGS_AT, FIXTURE_WORDS}};
    CHECK_EQ(check_with(none, COUNT_OF(none)), WEFT_OK);
}

TEST(channel_directions_are_in_and_out)
{
    for (uint32_t channel = 0; channel < FIXTURE_CHANNELS; ++channel) {
        const uint32_t word = in_channel(channel, ROW_DIRECTION);
        const corruption_t bad[] = {{word, 2u}, {word, 0x100u}, {word, UINT32_MAX}};
        each_is(WEFT_E_TABLES, bad, COUNT_OF(bad));
        const corruption_t good[] = {{word, WEFT_CHANNEL_IN}, {word, WEFT_CHANNEL_OUT}};
        each_is(WEFT_OK, good, COUNT_OF(good));
    }
}

TEST(slots_must_lie_in_the_arena)
{
    const corruption_t bad[] = {
        {in_channel(OUT, ROW_OFFSET), FIXTURE_ARENA_BYTES - FIXTURE_FRAME + 1u},
        {in_channel(OUT, ROW_OFFSET), FIXTURE_ARENA_BYTES},
        {in_channel(OUT, ROW_OFFSET), UINT32_MAX},
        {in_channel(OUT, ROW_OFFSET), UINT32_MAX - 3u},
        {in_channel(OUT, ROW_OFFSET), WEFT_IN_CONSTANTS},
        {in_channel(IN_A, ROW_ROWS), 0u},
        {in_channel(IN_A, ROW_ROWS), 17u},
        {in_channel(IN_A, ROW_ROWS), UINT32_MAX},
        {in_channel(IN_A, ROW_BYTES), 0u},
        {in_channel(IN_A, ROW_BYTES), 5u}, /* the stride stays 4 */
        {in_channel(IN_A, ROW_BYTES), UINT32_MAX},
        {in_channel(IN_B, ROW_ROWS), 0x40000000u},
        {in_channel(IN_B, ROW_STRIDE), 0u},
        {in_channel(IN_B, ROW_STRIDE), 1u},
        {in_channel(IN_B, ROW_STRIDE), FIXTURE_ARENA_BYTES},
        {in_channel(IN_B, ROW_STRIDE), UINT32_MAX},
        {AT_ARENA_BYTES, FIXTURE_ARENA_BYTES - 1u},
        {AT_ARENA_BYTES, 0u},
    };
    each_is(WEFT_E_TABLES, bad, COUNT_OF(bad));
}

/* rows * stride is 0 or small modulo 2^32, and modulo 2^64 close to its end. */
TEST(slot_sizes_do_not_wrap)
{
    static const uint32_t shapes[][3] = {{0x80000001u, 2u, 2u},
                                         {2u, 2u, 0xFFFFFFFEu},
                                         {0x10001u, 1u, 0x10000u},
                                         {UINT32_MAX, UINT32_MAX, UINT32_MAX},
                                         {UINT32_MAX, 1u, UINT32_MAX}};
    for (size_t i = 0; i < COUNT_OF(shapes); ++i) {
        NOTE("shape %zu", i);
        const corruption_t row[] = {{in_channel(IN_B, ROW_ROWS), shapes[i][0]},
                                    {in_channel(IN_B, ROW_BYTES), shapes[i][1]},
                                    {in_channel(IN_B, ROW_STRIDE), shapes[i][2]}};
        CHECK_EQ(check_with(row, COUNT_OF(row)), WEFT_E_TABLES);
    }
}

TEST(slots_may_fill_the_arena_to_its_last_byte)
{
    const corruption_t whole[] = {{in_channel(IN_A, ROW_ROWS), 16u}};
    CHECK_EQ(check_with(whole, COUNT_OF(whole)), WEFT_OK);
    /* The last row needs no room for a whole stride. */
    const corruption_t strided[] = {{in_channel(IN_B, ROW_OFFSET), 0u},
                                    {in_channel(IN_B, ROW_STRIDE), FIXTURE_ARENA_BYTES - 2u}};
    CHECK_EQ(check_with(strided, COUNT_OF(strided)), WEFT_OK);
}

TEST(tasks_must_name_calls_that_are_there)
{
    static const corruption_t bad[] = {
        {AT_TASKS, 3u},
        {AT_TASKS, UINT32_MAX},
        {AT_TASKS + 1, 5u},
        {AT_TASKS + 1, 0x80000000u},
        {AT_TASKS + 1, UINT32_MAX},
        {AT_TASKS + 2, 5u},
        {AT_TASKS + 4, 3u},
        {AT_TASKS + 4, UINT32_MAX},
        {AT_TASKS + 5, 3u},
        {AT_TASKS + 5, UINT32_MAX},
        {AT_CALL_COUNT, 3u},
        {AT_CALL_COUNT, 0u},
    };
    each_is(WEFT_E_TABLES, bad, COUNT_OF(bad));
}

TEST(calls_must_name_kernels_and_arguments_that_are_there)
{
    static const corruption_t bad[] = {
        {AT_CALLS, 3u},      {AT_CALLS, UINT32_MAX},          {AT_CALLS + 6, 3u},
        {AT_CALLS + 1, 10u}, {AT_CALLS + 1, UINT32_MAX},      {AT_CALLS + 3, 14u},
        {AT_CALLS + 7, 11u}, {AT_CALLS + 7, UINT32_MAX - 1u}, {AT_ARGS_COUNT, 13u},
        {AT_ARGS_COUNT, 0u},
    };
    weft_program_t program = fixture_program;
    each_is(WEFT_E_TABLES, bad, COUNT_OF(bad));
    program.kernel_count = 2u;
    CHECK_EQ(weft_tables_check((const weft_tables_t *)fixture_words, FIXTURE_WORDS, &program),
             WEFT_E_TABLES);
}

TEST(pointers_must_lie_in_their_memory)
{
    static const corruption_t bad[] = {
        {ARGS_GATHER, FIXTURE_ARENA_BYTES},
        {ARGS_GATHER, WEFT_IN_CONSTANTS | FIXTURE_CONSTANTS_BYTES},
        {ARGS_GATHER, UINT32_MAX},
        {ARGS_GATHER + 1, FIXTURE_ARENA_BYTES},
        {ARGS_GATHER + 1, 0x7FFFFFFFu},
        {ARGS_ADD + 1, WEFT_IN_CONSTANTS | FIXTURE_CONSTANTS_BYTES},
        {ARGS_ADD + 4 + 2, FIXTURE_ARENA_BYTES},
        {AT_CONSTANTS_BYTES, 4u}, /* ARGS_ADD + 1 points at byte 4 */
        {AT_CONSTANTS_BYTES, 0u},
    };
    static const corruption_t good[] = {
        {ARGS_GATHER, FIXTURE_ARENA_BYTES - 1u},
        {ARGS_GATHER, WEFT_IN_CONSTANTS | (FIXTURE_CONSTANTS_BYTES - 1u)},
        {ARGS_ADD + 1, WEFT_IN_CONSTANTS},
        {ARGS_GATHER + 2, UINT32_MAX}, /* a number, not a pointer */
        {AT_CONSTANTS_BYTES, 5u},
    };
    each_is(WEFT_E_TABLES, bad, COUNT_OF(bad));
    each_is(WEFT_OK, good, COUNT_OF(good));
}

/* Generated code adds an output's word to the arena without looking at WEFT_IN_CONSTANTS. */
TEST(outputs_must_not_lie_in_the_constants)
{
    static const corruption_t outputs[] = {
        {ARGS_GATHER + 1, WEFT_IN_CONSTANTS},
        {ARGS_ADD + 2, WEFT_IN_CONSTANTS | 4u},
    };
    each_is(WEFT_E_TABLES, outputs, COUNT_OF(outputs));
}

/* What the program says must not lead the check out of the tables either. */
TEST(a_kernel_with_more_pointers_than_arguments_is_refused)
{
    weft_kernel_t kernels[3];
    memcpy(kernels, fixture_program.kernels, sizeof kernels);
    kernels[0].pointer_count = 5u;
    const weft_program_t program = {"odd", kernels, 3u, WEFT_TABLES_VERSION};
    uint32_t *words = test_exact_copy(fixture_words, sizeof fixture_words);
    CHECK_EQ(weft_tables_check((const weft_tables_t *)words, FIXTURE_WORDS, &program),
             WEFT_E_TABLES);
    free(words);
}

TEST(the_accessors_give_the_rows)
{
    const weft_tables_t *tables = (const weft_tables_t *)fixture_words;
    CHECK_EQ(weft_tables_channel(tables, OUT)->direction, WEFT_CHANNEL_OUT);
    CHECK_EQ(weft_tables_channel(tables, IN_B)->row_stride, 5);
    CHECK_EQ(weft_tables_task(tables, 2u)->first_call, 2);
    CHECK_EQ(weft_tables_task(tables, 1u)->call_count, 0);
    CHECK_EQ(weft_tables_call(tables, 1u)->kernel, 2);
    CHECK_EQ(weft_tables_call(tables, 3u)->first_arg, 10);
    CHECK_EQ(*weft_tables_args(tables, 5u), 77);
}

TEST_MAIN(CASE(valid_tables_pass), CASE(more_words_than_needed_are_no_fault),
          CASE(null_pointers_are_bad_arguments), CASE(every_truncation_is_refused),
          CASE(every_shorter_word_count_is_refused), CASE(another_magic_is_refused),
          CASE(another_version_of_tables_or_program_is_refused),
          CASE(sections_must_lie_behind_the_head_and_before_the_end),
          CASE(sections_must_not_be_longer_than_the_tables),
          CASE(a_section_of_2_32_words_is_not_an_empty_one),
          CASE(empty_sections_may_lie_at_the_very_end), CASE(channel_directions_are_in_and_out),
          CASE(slots_must_lie_in_the_arena), CASE(slot_sizes_do_not_wrap),
          CASE(slots_may_fill_the_arena_to_its_last_byte),
          CASE(tasks_must_name_calls_that_are_there),
          CASE(calls_must_name_kernels_and_arguments_that_are_there),
          CASE(pointers_must_lie_in_their_memory), CASE(outputs_must_not_lie_in_the_constants),
          CASE(a_kernel_with_more_pointers_than_arguments_is_refused),
          CASE(the_accessors_give_the_rows))
