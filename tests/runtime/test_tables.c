/* SPDX-License-Identifier: Apache-2.0 */
/* weft_tables_check against single, deliberate corruptions: head, sections, tasks, calls, pointers,
 * and what the program says. */
#include "corruption.h"

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
    static const uint32_t bad[] = {
        0u,          HEAD_WORDS - 1u, FIXTURE_WORDS,   FIXTURE_WORDS + 1u, UINT32_MAX,
        0x40000000u, 0x80000000u,     UINT32_MAX - 2u, FIXTURE_WORDS - 1u};
    for (uint32_t start = AT_SLOTS_AT; start <= AT_ARGS_AT; start += 2u) {
        for (size_t j = 0; j < COUNT_OF(bad); ++j) {
            const corruption_t corruption = {start, bad[j]};
            is_malformed(&corruption, 1u);
        }
    }
}

/* Among them counts whose number of words is small modulo 2^32. */
TEST(sections_must_not_be_longer_than_the_tables)
{
    for (uint32_t count = AT_SLOT_COUNT; count <= AT_ARGS_COUNT; count += 2u) {
        const corruption_t counts[] = {{count, FIXTURE_WORDS}, {count, 0x40000000u},
                                       {count, 0x80000000u},   {count, 0x80000004u},
                                       {count, 0x33333334u},   {count, UINT32_MAX}};
        is_malformed(counts, COUNT_OF(counts));
    }
    static const corruption_t words[] = {{AT_WORD_COUNT, FIXTURE_WORDS + 1u},
                                         {AT_WORD_COUNT, UINT32_MAX}};
    is_malformed(words, COUNT_OF(words));
}

/* Returns are looked at through slots only: nothing but their section's length can refuse them. */
TEST(a_section_of_2_32_words_is_not_an_empty_one)
{
    enum { ROWS = 8, WORDS = HEAD_WORDS + RETURN_WORDS * ROWS };
    uint32_t words[WORDS] = {WEFT_TABLES_MAGIC, WEFT_TABLES_VERSION, WORDS};
    for (uint32_t start = AT_SLOTS_AT; start <= AT_LANES_AT; start += 2u) words[start] = WORDS;
    words[AT_RETURNS_AT] = HEAD_WORDS;
    static const uint32_t counts[] = {ROWS, ROWS + 1u, 0x80000000u, 0x80000000u + ROWS};
    for (size_t i = 0; i < COUNT_OF(counts); ++i) {
        NOTE("0x%x returns", (unsigned)counts[i]);
        words[AT_RETURN_COUNT] = counts[i];
        void *block = test_exact_copy(words, sizeof words);
        const weft_status_t expected = counts[i] == ROWS ? WEFT_OK : WEFT_E_TABLES;
        CHECK_EQ(weft_tables_check(block, WORDS, &fixture_program), expected);
        free(block);
    }
}

TEST(empty_sections_may_lie_at_the_very_end)
{
    corruption_t none[AT_LANES_AT - AT_SLOT_COUNT + 1];
    for (uint32_t i = 0; i < COUNT_OF(none); ++i) {
        none[i] = (corruption_t){AT_SLOT_COUNT + i, i % 2u == 0u ? 0u : FIXTURE_WORDS};
    }
    CHECK_EQ(check_with(none, COUNT_OF(none)), WEFT_OK);
}

TEST(tasks_must_name_calls_that_are_there)
{
    static const corruption_t bad[] = {
        {AT_TASKS, 4u},           {AT_TASKS, UINT32_MAX},     {AT_TASKS + 1, 6u},
        {AT_TASKS + 1, 1u << 31}, {AT_TASKS + 1, UINT32_MAX}, {AT_TASKS + 2, 6u},
        {AT_TASKS + 4, 4u},       {AT_TASKS + 4, UINT32_MAX}, {AT_TASKS + 5, 4u},
        {AT_TASKS + 7, 2u},       {AT_CALL_COUNT, 4u},        {AT_CALL_COUNT, 0u},
    };
    is_malformed(bad, COUNT_OF(bad));
}

TEST(calls_must_name_kernels_and_arguments_that_are_there)
{
    static const corruption_t bad[] = {
        {AT_CALLS, 3u},      {AT_CALLS, UINT32_MAX},          {AT_CALLS + 6, 3u},
        {AT_CALLS + 1, 11u}, {AT_CALLS + 1, UINT32_MAX},      {AT_CALLS + 3, 15u},
        {AT_CALLS + 7, 12u}, {AT_CALLS + 7, UINT32_MAX - 1u}, {AT_ARGS_COUNT, 14u},
        {AT_ARGS_COUNT, 0u},
    };
    weft_program_t program = fixture_program;
    is_malformed(bad, COUNT_OF(bad));
    program.kernel_count = 2u;
    CHECK_EQ(weft_tables_check((const weft_tables_t *)fixture_words, FIXTURE_WORDS, &program),
             WEFT_E_TABLES);
}

TEST(pointers_must_lie_in_their_memory)
{
    const uint32_t in_b = WEFT_IN_SLOT | (uint32_t)SLOT_B << WEFT_SLOT_SHIFT;
    const corruption_t bad[] = {
        {ARGS_GATHER, FIXTURE_ARENA_BYTES},
        {ARGS_GATHER, WEFT_IN_CONSTANTS | FIXTURE_CONSTANTS_BYTES},
        {ARGS_GATHER, UINT32_MAX},
        {ARGS_GATHER, in_b | B_FRAME},
        {ARGS_GATHER, WEFT_IN_SLOT | (uint32_t)SLOT_OUT << WEFT_SLOT_SHIFT}, /* the outside's */
        {ARGS_GATHER, WEFT_IN_SLOT | (uint32_t)FIXTURE_SLOTS << WEFT_SLOT_SHIFT},
        {ARGS_GATHER, WEFT_IN_SLOT | WEFT_SLOT_OFFSET_MASK},
        {ARGS_GATHER, WEFT_IN_SLOT | WEFT_IN_CONSTANTS},
        {ARGS_GATHER + 1, FIXTURE_ARENA_BYTES},
        {ARGS_GATHER + 1, 0x3FFFFFFFu},
        {ARGS_ADD + 1, WEFT_IN_CONSTANTS | FIXTURE_CONSTANTS_BYTES},
        {ARGS_ADD + 4 + 2, FIXTURE_ARENA_BYTES},
        {AT_CONSTANTS_BYTES, 4u}, /* ARGS_ADD + 1 points at byte 4 */
        {AT_CONSTANTS_BYTES, 0u},
    };
    const corruption_t good[] = {
        {ARGS_GATHER, FIXTURE_ARENA_BYTES - 1u},
        {ARGS_GATHER, WEFT_IN_CONSTANTS | (FIXTURE_CONSTANTS_BYTES - 1u)},
        {ARGS_GATHER, in_b | (B_FRAME - 1u)},
        {ARGS_GATHER + 1, in_b},
        {ARGS_ADD + 1, WEFT_IN_CONSTANTS},
        {ARGS_GATHER + 2, UINT32_MAX}, /* a number, not a pointer */
        {AT_CONSTANTS_BYTES, 5u},
    };
    is_malformed(bad, COUNT_OF(bad));
    each_is(WEFT_OK, good, COUNT_OF(good));
}

/* Generated code adds an output's word to the arena without looking at WEFT_IN_CONSTANTS. */
TEST(outputs_must_not_lie_in_the_constants)
{
    static const corruption_t outputs[] = {
        {ARGS_GATHER + 1, WEFT_IN_CONSTANTS},
        {ARGS_ADD + 2, WEFT_IN_CONSTANTS | 4u},
    };
    is_malformed(outputs, COUNT_OF(outputs));
}

static weft_status_t check_with_first_kernel(weft_kernel_t kernel)
{
    weft_kernel_t kernels[3];
    memcpy(kernels, fixture_program.kernels, sizeof kernels);
    kernels[0] = kernel;
    const weft_program_t program = {"odd", kernels, 3u, WEFT_TABLES_VERSION, NULL};
    uint32_t *words = test_exact_copy(fixture_words, sizeof fixture_words);
    const weft_status_t status =
        weft_tables_check((const weft_tables_t *)words, FIXTURE_WORDS, &program);
    free(words);
    return status;
}

/* What the program says must not lead the check out of the tables either. */
TEST(a_kernel_with_more_pointers_than_arguments_is_refused)
{
    weft_kernel_t kernel = fixture_program.kernels[0];
    CHECK_EQ(check_with_first_kernel(kernel), WEFT_OK);
    kernel.pointer_count = 5u;
    CHECK_EQ(check_with_first_kernel(kernel), WEFT_E_TABLES);
    kernel.pointer_count = UINT16_MAX;
    kernel.arg_count = UINT16_MAX;
    CHECK_EQ(check_with_first_kernel(kernel), WEFT_E_TABLES);
}

TEST(a_kernel_without_code_is_refused)
{
    weft_kernel_t kernel = fixture_program.kernels[0];
    kernel.invoke = NULL;
    CHECK_EQ(check_with_first_kernel(kernel), WEFT_E_TABLES);
}

TEST(the_accessors_give_the_rows)
{
    const weft_tables_t *tables = (const weft_tables_t *)fixture_words;
    CHECK_EQ(weft_tables_slot(tables, SLOT_B)->depth, 2);
    CHECK_EQ(weft_tables_slot(tables, SLOT_OUT)->state, 10);
    CHECK_EQ(weft_tables_shard(tables, 1u)->first_task, 3);
    CHECK_EQ(weft_tables_shard(tables, 0u)->state, STATE_FIRST_SHARD);
    CHECK_EQ(weft_tables_send(tables, 1u)->to_outer, 4);
    CHECK_EQ(weft_tables_send(tables, 0u)->state, STATE_FIRST_SEND);
    CHECK_EQ(weft_tables_return(tables, 1u)->send, 1);
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
          CASE(empty_sections_may_lie_at_the_very_end), CASE(tasks_must_name_calls_that_are_there),
          CASE(calls_must_name_kernels_and_arguments_that_are_there),
          CASE(pointers_must_lie_in_their_memory), CASE(outputs_must_not_lie_in_the_constants),
          CASE(a_kernel_with_more_pointers_than_arguments_is_refused),
          CASE(a_kernel_without_code_is_refused), CASE(the_accessors_give_the_rows))
