/* SPDX-License-Identifier: Apache-2.0 */
/* weft_tables_check against single, deliberate corruptions: slots, shards, sends, returns and
 * channels. */
#include "corruption.h"

TEST(slots_must_lie_in_the_arena)
{
    const corruption_t bad[] = {
        {in_slot(SLOT_A, SLOT_OFFSET), FIXTURE_ARENA_BYTES - 3u},
        {in_slot(SLOT_A, SLOT_OFFSET), UINT32_MAX},
        {in_slot(SLOT_A, SLOT_OFFSET), UINT32_MAX - 3u},
        {in_slot(SLOT_A, SLOT_FRAME_BYTES), FIXTURE_ARENA_BYTES + 1u},
        {in_slot(SLOT_B, SLOT_OFFSET), FIXTURE_ARENA_BYTES - 2u * B_FRAME + 1u},
        {in_slot(SLOT_B, SLOT_FRAME_BYTES), 0x80000000u}, /* twice that is 0 modulo 2^32 */
        {in_slot(SLOT_B, SLOT_FRAME_BYTES), 0x80000001u},
        {AT_ARENA_BYTES, FIXTURE_ARENA_BYTES - 1u},
        {AT_ARENA_BYTES, 0u},
    };
    is_malformed(bad, COUNT_OF(bad));
    const corruption_t last[] = {
        {in_slot(SLOT_A, SLOT_OFFSET), FIXTURE_ARENA_BYTES - 4u},
        {in_slot(SLOT_B, SLOT_OFFSET), FIXTURE_ARENA_BYTES - 2u * B_FRAME}};
    each_is(WEFT_OK, last, COUNT_OF(last));
}

/* Powers of two, for frame numbers wrap; and room for them in arena and state. */
TEST(depths_are_powers_of_two)
{
    static const uint32_t bad[] = {0u, 3u, 5u, 6u, 7u, 0x10001u, 0x20000u, 0x80000000u, UINT32_MAX};
    for (uint32_t i = 0; i < COUNT_OF(bad); ++i) {
        for (uint32_t slot = 0; slot < FIXTURE_SLOTS; ++slot) {
            const corruption_t corruption = {in_slot(slot, SLOT_DEPTH), bad[i]};
            is_malformed(&corruption, 1u);
        }
        for (uint32_t send = 0; send < FIXTURE_SENDS; ++send) {
            const corruption_t corruption = {in_send(send, SEND_DEPTH), bad[i]};
            is_malformed(&corruption, 1u);
        }
    }
}

/* Rows name state words in order: none is shared, none lies behind the end. */
TEST(state_words_are_not_shared)
{
    for (uint32_t slot = 0; slot < FIXTURE_SLOTS; ++slot) {
        const uint32_t word = in_slot(slot, SLOT_STATE), value = fixture_words[word];
        const corruption_t bad[] = {{word, value + 1u}, {word, value - 1u}, {word, UINT32_MAX}};
        is_malformed(bad, COUNT_OF(bad));
    }
    const corruption_t bad[] = {
        {in_shard(0u, SHARD_STATE), STATE_FIRST_SHARD + 1},
        {in_shard(1u, SHARD_STATE), STATE_FIRST_SHARD},
        {in_send(0u, SEND_STATE), STATE_FIRST_SEND - 1},
        {in_send(1u, SEND_STATE), STATE_FIRST_SEND},
        {in_send(1u, SEND_STATE), FIXTURE_STATE_WORDS},
        {in_slot(SLOT_A, SLOT_DEPTH), 2u}, /* one word more, which the next slot has */
        {AT_STATE_WORDS, FIXTURE_STATE_WORDS - 1u},
        {AT_STATE_WORDS, 0u},
    };
    is_malformed(bad, COUNT_OF(bad));
    const corruption_t more = {AT_STATE_WORDS, UINT32_MAX};
    each_is(WEFT_OK, &more, 1u);
}

TEST(a_slot_has_as_many_returns_as_producers_or_none)
{
    const corruption_t bad[] = {
        {in_slot(SLOT_A, SLOT_PRODUCERS), 0u},
        {in_slot(SLOT_A, SLOT_PRODUCERS), 2u},
        {in_slot(SLOT_A, SLOT_RETURNS), 1u}, /* as if a send filled it, and the outside does */
        {in_slot(SLOT_MIDDLE, SLOT_PRODUCERS), 0u},
        {in_slot(SLOT_MIDDLE, SLOT_PRODUCERS), 2u},
        {in_slot(SLOT_MIDDLE, SLOT_PRODUCERS), UINT32_MAX},
        {in_slot(SLOT_MIDDLE, SLOT_PRODUCERS), UINT32_MAX - 1u},
        {in_slot(SLOT_MIDDLE, SLOT_RETURNS), 0u}, /* and no input fills it */
        {in_slot(SLOT_MIDDLE, SLOT_RETURNS), 2u},
        {in_slot(SLOT_OUT, SLOT_FIRST_RETURN), 2u},
        {in_slot(SLOT_OUT, SLOT_FIRST_RETURN), UINT32_MAX},
    };
    is_malformed(bad, COUNT_OF(bad));
}

/* The number of state words of a slot must not be looked at modulo 2^32. */
TEST(as_many_producers_as_numbers_do_not_wrap)
{
    const corruption_t row[] = {{AT_STATE_WORDS, UINT32_MAX},
                                {in_slot(SLOT_MIDDLE, SLOT_PRODUCERS), UINT32_MAX},
                                {in_slot(SLOT_MIDDLE, SLOT_RETURNS), UINT32_MAX},
                                {in_slot(SLOT_OUT, SLOT_STATE), 8u}};
    CHECK_EQ(check_with(row, COUNT_OF(row)), WEFT_E_TABLES);
}

TEST(no_more_slots_than_pointer_words_can_name)
{
    enum { SLOTS = WEFT_MAX_SLOTS + 1, WORDS = HEAD_WORDS + SLOTS * (SLOT_WORDS + SHARD_WORDS) };
    const uint32_t channels = SLOTS * CHANNEL_WORDS;
    uint32_t *words = calloc(WORDS + channels, sizeof *words);
    CHECK(words != NULL);
    memcpy(words, fixture_words, HEAD_WORDS * sizeof *words);
    for (uint32_t i = AT_SLOTS_AT; i <= AT_LANES_AT; i += 2u) words[i - 1u] = 0u, words[i] = WORDS;
    words[AT_WORD_COUNT] = WORDS + channels;
    words[AT_SLOTS_AT] = HEAD_WORDS;
    words[AT_SHARDS_AT] = HEAD_WORDS + SLOTS * SLOT_WORDS;
    words[AT_STATE_WORDS] = SLOTS * 4u;
    for (uint32_t i = 0; i < SLOTS; ++i) {
        const uint32_t slot[] = {0u, 1u, 1u, 1u, 0u, 0u, i * 3u};
        const uint32_t channel[] = {WEFT_CHANNEL_IN, i, 0u, 1u, 1u, 1u};
        memcpy(words + HEAD_WORDS + i * SLOT_WORDS, slot, sizeof slot);
        memcpy(words + WORDS + i * CHANNEL_WORDS, channel, sizeof channel);
    }
    for (uint32_t count = WEFT_MAX_SLOTS; count <= SLOTS; ++count) {
        const uint32_t shard[] = {0u, count, 0u, 0u, 0u, 0u, count * 3u};
        memcpy(words + words[AT_SHARDS_AT], shard, sizeof shard);
        words[AT_SLOT_COUNT] = words[AT_CHANNEL_COUNT] = count;
        words[AT_SHARD_COUNT] = 1u;
        CHECK_EQ(
            weft_tables_check((const weft_tables_t *)words, WORDS + channels, &fixture_program),
            count == WEFT_MAX_SLOTS ? WEFT_OK : WEFT_E_TABLES);
    }
    free(words);
}

/* One shard after the other, without gaps, to the last task and send. */
TEST(shards_name_their_rows_in_order)
{
    for (uint32_t shard = 0; shard < FIXTURE_SHARDS; ++shard) {
        for (uint32_t field = SHARD_FIRST_SLOT; field < SHARD_STATE; ++field) {
            const uint32_t word = in_shard(shard, field), value = fixture_words[word];
            const corruption_t bad[] = {{word, value + 1u}, {word, value - 1u}, {word, UINT32_MAX}};
            is_malformed(bad, COUNT_OF(bad));
        }
    }
    static const corruption_t counts[] = {{AT_SHARD_COUNT, 1u}, {AT_SHARD_COUNT, 0u},
                                          {AT_TASK_COUNT, 3u},  {AT_SEND_COUNT, 1u},
                                          {AT_SLOT_COUNT, 3u},  {AT_SLOT_COUNT, 2u}};
    is_malformed(counts, COUNT_OF(counts));
}

TEST(a_shard_that_would_fire_for_ever_is_refused)
{
    enum { WORDS = HEAD_WORDS + SHARD_WORDS };
    uint32_t words[WORDS] = {WEFT_TABLES_MAGIC, WEFT_TABLES_VERSION, WORDS};
    for (uint32_t start = AT_SLOTS_AT; start <= AT_LANES_AT; start += 2u) words[start] = WORDS;
    words[AT_STATE_WORDS] = 1u;
    words[AT_SHARDS_AT] = HEAD_WORDS;
    CHECK_EQ(weft_tables_check((const weft_tables_t *)words, WORDS, &fixture_program), WEFT_OK);
    words[AT_SHARD_COUNT] = 1u;
    CHECK_EQ(weft_tables_check((const weft_tables_t *)words, WORDS, &fixture_program),
             WEFT_E_TABLES);
}

TEST(sends_read_the_arena_or_a_frame_of_their_shard)
{
    const uint32_t slot = WEFT_IN_SLOT, from = in_send(0u, SEND_FROM);
    const corruption_t bad[] = {
        {from, FIXTURE_ARENA_BYTES - 3u},
        {from, WEFT_IN_CONSTANTS},
        {from, WEFT_IN_CONSTANTS | WEFT_IN_SLOT},
        {from, slot | (uint32_t)SLOT_MIDDLE << WEFT_SLOT_SHIFT}, /* the other shard's */
        {from, slot | (uint32_t)SLOT_OUT << WEFT_SLOT_SHIFT},
        {from, slot | 255u << WEFT_SLOT_SHIFT},
        {from, slot | 1u}, /* one byte behind the frame */
        {in_send(0u, SEND_FROM_INNER), 63u},
        {in_send(0u, SEND_FROM_INNER), UINT32_MAX},
        {in_send(1u, SEND_FROM_OUTER), 3u},
        {in_send(1u, SEND_FROM_OUTER), UINT32_MAX - 1u},
    };
    is_malformed(bad, COUNT_OF(bad));
    const corruption_t good[] = {
        {from, FIXTURE_ARENA_BYTES - 4u},
        {from, slot},
        {from, slot | (uint32_t)SLOT_B << WEFT_SLOT_SHIFT | 5u},
        {in_send(0u, SEND_FROM_OUTER), UINT32_MAX}, /* one run is no stride */
        {in_send(0u, SEND_FROM_INNER), 0u},
        {in_send(0u, SEND_FROM_INNER), FIXTURE_ARENA_BYTES - SUM_AT - 2u},
        {in_send(1u, SEND_FROM_OUTER), 0u},
    };
    each_is(WEFT_OK, good, COUNT_OF(good));
}

TEST(sends_write_within_the_room_of_a_frame)
{
    const corruption_t bad[] = {
        {in_send(0u, SEND_OUTER), 0u},
        {in_send(0u, SEND_INNER), 0u},
        {in_send(0u, SEND_OUTER), 2u}, /* the same place twice: more bytes than a frame has */
        {in_send(0u, SEND_INNER), 3u},
        {in_send(0u, SEND_INNER), UINT32_MAX},
        {in_send(0u, SEND_BYTES), 3u},
        {in_send(0u, SEND_BYTES), UINT32_MAX},
        {in_send(0u, SEND_TO_INNER), 3u},
        {in_send(0u, SEND_TO_INNER), UINT32_MAX},
        {in_send(0u, SEND_FRAME_BYTES), 3u},
        {in_send(0u, SEND_FRAME_BYTES), 0u},
        {in_send(0u, SEND_TO), UINT32_MAX - 3u},
        {in_send(1u, SEND_TO_OUTER), 7u},
        {in_send(1u, SEND_FRAME_BYTES), UINT32_MAX}, /* the second frame's room */
    };
    is_malformed(bad, COUNT_OF(bad));
    const corruption_t good[] = {{in_send(1u, SEND_TO_OUTER), 6u},
                                 {in_send(1u, SEND_BYTES), 1u},
                                 {in_send(1u, SEND_BYTES), 0u}, /* written in place */
                                 {in_send(1u, SEND_TO), 0u}};
    each_is(WEFT_OK, good, COUNT_OF(good));
}

/* Each product alone, and their sum, must not be looked at modulo 2^32 or 2^64. */
TEST(sizes_of_sends_do_not_wrap)
{
    static const uint32_t shapes[][5] = {{0x80000001u, 1u, 2u, 2u, 0u},
                                         {0x10001u, 0x10001u, 1u, 0x10000u, 0x10000u},
                                         {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX, 1u},
                                         {UINT32_MAX, UINT32_MAX, 1u, UINT32_MAX, UINT32_MAX},
                                         {2u, 2u, 2u, UINT32_MAX, UINT32_MAX}};
    for (size_t i = 0; i < COUNT_OF(shapes); ++i) {
        for (uint32_t side = 0; side < 2u; ++side) {
            const uint32_t *s = shapes[i];
            const corruption_t row[] = {
                {in_send(0u, SEND_OUTER), s[0]},
                {in_send(0u, SEND_INNER), s[1]},
                {in_send(0u, SEND_BYTES), s[2]},
                {in_send(0u, side > 0u ? SEND_TO_OUTER : SEND_FROM_OUTER), s[3]},
                {in_send(0u, side > 0u ? SEND_TO_INNER : SEND_FROM_INNER), s[4]},
                {in_send(0u, SEND_FRAME_BYTES), UINT32_MAX}};
            NOTE("shape %zu, side %u", i, (unsigned)side);
            CHECK_EQ(check_with(row, COUNT_OF(row)), WEFT_E_TABLES);
        }
    }
}

TEST(channel_rows_lie_in_the_frame_of_their_slot)
{
    const corruption_t bad[] = {
        {in_channel(OUT, CHANNEL_DIRECTION), 2u},
        {in_channel(OUT, CHANNEL_DIRECTION), UINT32_MAX},
        {in_channel(OUT, CHANNEL_SLOT), FIXTURE_SLOTS},
        {in_channel(OUT, CHANNEL_SLOT), UINT32_MAX},
        {in_channel(IN_A, CHANNEL_OFFSET), 1u},
        {in_channel(IN_A, CHANNEL_OFFSET), UINT32_MAX},
        {in_channel(IN_A, CHANNEL_ROWS), 0u},
        {in_channel(IN_A, CHANNEL_ROWS), 2u},
        {in_channel(IN_A, CHANNEL_ROWS), UINT32_MAX},
        {in_channel(IN_A, CHANNEL_BYTES), 0u},
        {in_channel(IN_A, CHANNEL_BYTES), 5u},
        {in_channel(IN_A, CHANNEL_BYTES), UINT32_MAX},
        {in_channel(IN_B, CHANNEL_STRIDE), 1u}, /* less than a row */
        {in_channel(IN_B, CHANNEL_STRIDE), 7u},
        {in_channel(IN_B, CHANNEL_STRIDE), UINT32_MAX},
        {in_channel(IN_B, CHANNEL_ROWS), 0x80000001u},
        {in_slot(SLOT_B, SLOT_FRAME_BYTES), 7u},
    };
    is_malformed(bad, COUNT_OF(bad));
    const corruption_t good[] = {{in_channel(IN_B, CHANNEL_STRIDE), 6u},
                                 {in_channel(IN_B, CHANNEL_OFFSET), 2u},
                                 {in_slot(SLOT_B, SLOT_FRAME_BYTES), 8u}};
    each_is(WEFT_OK, good, COUNT_OF(good));
}

/* Filled by sends or by one input, emptied by a shard or by one output. */
TEST(slots_have_one_end_on_either_side)
{
    const corruption_t bad[] = {
        {in_channel(IN_A, CHANNEL_DIRECTION), WEFT_CHANNEL_OUT},
        {in_channel(OUT, CHANNEL_DIRECTION), WEFT_CHANNEL_IN},
        {in_channel(IN_A, CHANNEL_SLOT), SLOT_B},
        {in_channel(IN_A, CHANNEL_SLOT), SLOT_MIDDLE},
        {AT_CHANNEL_COUNT, 2u},
        {AT_CHANNEL_COUNT, 0u},
    };
    is_malformed(bad, COUNT_OF(bad));
}

static weft_status_t check_self_with(corruption_t corruption, uint32_t number)
{
    uint32_t *words = test_exact_copy(fixture_words, sizeof fixture_words);
    const weft_tables_t *tables = (const weft_tables_t *)words;
    words[corruption.word] = corruption.value;
    CHECK_EQ(weft_tables_check(tables, FIXTURE_WORDS, &fixture_program), WEFT_OK);
    const weft_status_t status = weft_tables_check_self(tables, number);
    free(words);
    return status;
}

/* Nobody else looks at what a PE sends to itself: rows that only another PE could refuse. */
TEST(both_ends_of_what_stays_here_must_agree)
{
    const corruption_t bad[] = {
        {in_send(0u, SEND_SLOT), FIXTURE_SLOTS},
        {in_send(0u, SEND_SLOT), SLOT_A}, /* the outside's */
        {in_send(0u, SEND_SLOT), SLOT_OUT},
        {in_send(0u, SEND_PRODUCER), 1u},
        {in_send(0u, SEND_DEPTH), 2u},
        {in_send(0u, SEND_FRAME_BYTES), 5u},
        {in_send(0u, SEND_TO), MIDDLE_AT - 1},
        {in_send(0u, SEND_TO), MIDDLE_AT + 1},
        {in_send(0u, SEND_TO), UINT32_MAX - 4u},
        {in_send(0u, SEND_PE), FIXTURE_NUMBER + 1}, /* but the credit is to come here */
        {in_return(0u, RETURN_PE), FIXTURE_NUMBER + 1},
        {in_return(0u, RETURN_SEND), 1u},
        {in_return(1u, RETURN_SEND), FIXTURE_SENDS},
        {in_return(1u, RETURN_SEND), UINT32_MAX},
    };
    const corruption_t none = {AT_MAGIC, WEFT_TABLES_MAGIC};
    CHECK_EQ(check_self_with(none, FIXTURE_NUMBER), WEFT_OK);
    CHECK_EQ(weft_tables_check_self(NULL, FIXTURE_NUMBER), WEFT_E_ARGUMENT);
    for (size_t i = 0; i < COUNT_OF(bad); ++i) {
        NOTE("word %u replaced by 0x%x", (unsigned)bad[i].word, (unsigned)bad[i].value);
        CHECK_EQ(check_self_with(bad[i], FIXTURE_NUMBER), WEFT_E_TABLES);
        CHECK_EQ(check_self_with(bad[i], FIXTURE_NUMBER + 2u), WEFT_OK); /* all is elsewhere */
    }
}

TEST_MAIN(CASE(slots_must_lie_in_the_arena), CASE(depths_are_powers_of_two),
          CASE(state_words_are_not_shared), CASE(a_slot_has_as_many_returns_as_producers_or_none),
          CASE(as_many_producers_as_numbers_do_not_wrap),
          CASE(no_more_slots_than_pointer_words_can_name), CASE(shards_name_their_rows_in_order),
          CASE(a_shard_that_would_fire_for_ever_is_refused),
          CASE(sends_read_the_arena_or_a_frame_of_their_shard),
          CASE(sends_write_within_the_room_of_a_frame), CASE(sizes_of_sends_do_not_wrap),
          CASE(channel_rows_lie_in_the_frame_of_their_slot),
          CASE(slots_have_one_end_on_either_side), CASE(both_ends_of_what_stays_here_must_agree))
