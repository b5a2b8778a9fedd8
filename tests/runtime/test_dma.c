/* SPDX-License-Identifier: Apache-2.0 */
/* The driver of the DMA engine: every way that bytes can take, when they move, and what is
 * refused. */
#include "dma.h"
#include "mesh.h"
#include "weft/pe.h"
#include "weft_test.h"

enum { QUEUE = 4, ARENA = 512, DRAM = 1024, LOCAL = 512, DEADLINE = 1000000 };

/* Two PEs with an arena each, DRAM behind them; the engine is the first one's. */
typedef struct board {
    weft_pe_t pes[2];
    weft_pe_t *numbers[2];
    weft_tables_t tables;
    weft_host_mesh_t mesh;
    weft_device_t device;
    weft_dma_t context;
    weft_job_t jobs[QUEUE];
    uint8_t rooms[WEFT_DESCRIPTORS_BYTES(sizeof(weft_copy_t), QUEUE)] __attribute__((aligned(16)));
    uint8_t from[LOCAL] __attribute__((aligned(16)));
    uint8_t to[LOCAL] __attribute__((aligned(16)));
    uint8_t arena[ARENA] __attribute__((aligned(16)));
    uint8_t dram[DRAM];
} board_t;

static board_t board;

static void wake(void *context)
{
    (void)context;
}

static void set_up(void)
{
    memset(&board, 0, sizeof board);
    for (uint32_t i = 0; i < LOCAL; ++i) board.from[i] = (uint8_t)(i * 7u + 3u);
    for (uint32_t i = 0; i < DRAM; ++i) board.dram[i] = (uint8_t)(i * 5u + 1u);
    board.tables.arena_bytes = ARENA;
    for (uint32_t i = 0; i < 2u; ++i) {
        board.pes[i].tables = &board.tables;
        board.pes[i].number = i;
        board.pes[i].port = &board.mesh;
        board.numbers[i] = &board.pes[i];
    }
    board.pes[1].arena = board.arena;
    board.mesh = (weft_host_mesh_t){
        .pes = board.numbers, .count = 2u, .wake = wake, .dram = board.dram, .dram_bytes = DRAM};
    const weft_device_config_t config = {
        .driver = &weft_dma_driver,
        .pe = &board.pes[0],
        .context = &board.context,
        .context_bytes = sizeof board.context,
        .jobs = board.jobs,
        .job_count = QUEUE,
        .descriptors = board.rooms,
        .descriptors_bytes = sizeof board.rooms,
        .deadline_ticks = DEADLINE,
    };
    CHECK_EQ(weft_device_init(&board.device, &config), WEFT_OK);
    CHECK_EQ(weft_device_activate(&board.device), WEFT_OK);
}

static weft_ticket_t submit(const weft_copy_t *copy)
{
    weft_ticket_t ticket = {0};
    CHECK_EQ(weft_device_copy(&board.device, copy, NULL, 0u, 0u, 1u, &ticket), WEFT_OK);
    return ticket;
}

static void run(weft_copy_t copy, weft_status_t expected)
{
    const weft_ticket_t ticket = submit(&copy);
    CHECK_EQ(weft_device_wait(&board.device, 0u, DEADLINE), WEFT_OK);
    CHECK_EQ(weft_ticket_state(&ticket), expected);
}

/* `to` holds the rows and nothing else of `bytes` bytes is changed from zero. */
static void check_rows(const uint8_t *to, uint32_t bytes, const uint8_t *from,
                       const weft_copy_t *copy, uint32_t offset)
{
    uint8_t expected[LOCAL] = {0};
    for (uint32_t row = 0; row < copy->rows; ++row)
        memcpy(expected + offset + row * copy->to_pitch, from + row * copy->from_pitch,
               copy->row_bytes);
    CHECK(memcmp(to, expected, bytes) == 0);
}

TEST(rows_go_every_way)
{
    set_up();
    const weft_copy_t here =
        weft_copy_2d(weft_copy_local(board.to + 16, board.from, 32u), 4u, 48u, 64u);
    run(here, WEFT_OK);
    check_rows(board.to, LOCAL, board.from, &here, 16u);

    const weft_copy_t there =
        weft_copy_2d(weft_copy_to_pe(1u, 32u, board.from + 16, 16u), 5u, 32u, 80u);
    run(there, WEFT_OK);
    check_rows(board.arena, ARENA, board.from + 16, &there, 32u);

    memset(board.to, 0, sizeof board.to);
    const weft_copy_t fetched =
        weft_copy_2d(weft_copy_from_dram(board.to, 512u, 48u), 3u, 64u, 48u);
    run(fetched, WEFT_OK);
    check_rows(board.to, LOCAL, board.dram + 512, &fetched, 0u);

    memset(board.dram, 0, sizeof board.dram);
    const weft_copy_t stored = weft_copy_2d(weft_copy_to_dram(64u, board.from, 16u), 6u, 16u, 32u);
    run(stored, WEFT_OK);
    check_rows(board.dram, LOCAL, board.from, &stored, 64u);
}

TEST(bytes_move_when_the_job_is_over_and_in_order)
{
    set_up();
    /* The second reads what the first writes. */
    const weft_copy_t first = weft_copy_local(board.to, board.from, 16u);
    const weft_copy_t second = weft_copy_local(board.to + 64, board.to, 16u);
    weft_ticket_t tickets[2];
    tickets[0] = submit(&first);
    for (uint32_t i = 0; i < LOCAL; ++i) CHECK_EQ(board.to[i], 0);
    tickets[1] = submit(&second);
    CHECK_EQ(weft_ticket_state(&tickets[1]), WEFT_PENDING);
    for (uint32_t i = 64; i < LOCAL; ++i) CHECK_EQ(board.to[i], 0);
    CHECK_EQ(weft_device_wait(&board.device, 0u, DEADLINE), WEFT_OK);
    CHECK_EQ(weft_ticket_state(&tickets[0]), WEFT_OK);
    CHECK_EQ(weft_ticket_state(&tickets[1]), WEFT_OK);
    CHECK(memcmp(board.to + 64, board.from, 16u) == 0);
}

TEST(a_cancelled_copy_writes_nothing)
{
    set_up();
    const weft_copy_t copies[] = {
        weft_copy_local(board.to, board.from, 16u),
        weft_copy_local(board.to + 64, board.from, 16u),
        weft_copy_local(board.to + 128, board.from, 16u),
    };
    /* The one that has the engine; later one that is behind another. */
    const weft_ticket_t first = submit(&copies[0]);
    CHECK_EQ(weft_device_cancel(&first), WEFT_OK);
    const weft_ticket_t second = submit(&copies[1]), third = submit(&copies[2]);
    CHECK_EQ(weft_device_cancel(&third), WEFT_OK);
    CHECK_EQ(weft_device_wait(&board.device, 0u, DEADLINE), WEFT_OK);
    CHECK_EQ(weft_ticket_state(&first), WEFT_E_CANCELLED);
    CHECK_EQ(weft_ticket_state(&second), WEFT_OK);
    CHECK_EQ(weft_ticket_state(&third), WEFT_E_CANCELLED);
    for (uint32_t i = 0; i < LOCAL; ++i)
        CHECK_EQ(board.to[i], i >= 64u && i < 80u ? board.from[i - 64u] : 0);
}

TEST(what_is_not_aligned_is_refused)
{
    set_up();
    run(weft_copy_local(board.to + 8, board.from, 16u), WEFT_E_ARGUMENT);
    run(weft_copy_local(board.to, board.from + 4, 16u), WEFT_E_ARGUMENT);
    run(weft_copy_local(board.to, board.from, 24u), WEFT_E_ARGUMENT);
    run(weft_copy_local(board.to, board.from, 0u), WEFT_E_ARGUMENT);
    run(weft_copy_to_pe(1u, 8u, board.from, 16u), WEFT_E_ARGUMENT);
    run(weft_copy_from_dram(board.to, 1u, 16u), WEFT_E_ARGUMENT);
    const weft_copy_t one = weft_copy_local(board.to, board.from, 16u);
    run(weft_copy_2d(one, 0u, 16u, 16u), WEFT_E_ARGUMENT);
    run(weft_copy_2d(one, 2u, 24u, 32u), WEFT_E_ARGUMENT);
    run(weft_copy_2d(one, 2u, 32u, 40u), WEFT_E_ARGUMENT);
    for (uint32_t i = 0; i < LOCAL; ++i) CHECK_EQ(board.to[i], 0);
    for (uint32_t i = 0; i < ARENA; ++i) CHECK_EQ(board.arena[i], 0);
    /* Of one row there is no pitch. */
    run(weft_copy_2d(one, 1u, 3u, 5u), WEFT_OK);
}

TEST(places_that_are_not_there_are_refused)
{
    set_up();
    run(weft_copy_local(NULL, board.from, 16u), WEFT_E_ARGUMENT);
    run(weft_copy_local(board.to, NULL, 16u), WEFT_E_ARGUMENT);
    run(weft_copy_to_pe(2u, 0u, board.from, 16u), WEFT_E_ARGUMENT);
    run(weft_copy_to_pe(1u, ARENA, board.from, 16u), WEFT_E_ARGUMENT);
    run(weft_copy_to_dram(DRAM, board.from, 16u), WEFT_E_ARGUMENT);
    run(weft_copy_from_dram(board.to, DRAM - 16u, 32u), WEFT_E_ARGUMENT);
    run(weft_copy_from_dram(board.to, 0xFFFFFFF0u, 16u), WEFT_E_ARGUMENT);
    /* Rows that wrap around come back to places that exist. */
    run(weft_copy_2d(weft_copy_from_dram(board.to, 16u, 16u), 3u, 0xFFFFFFF0u, 16u),
        WEFT_E_ARGUMENT);
    for (uint32_t i = 0; i < LOCAL; ++i) CHECK_EQ(board.to[i], 0);
}

TEST(ways_that_there_are_not_are_refused)
{
    set_up();
    weft_copy_t copy = weft_copy_from_dram(board.to, 0u, 16u);
    copy.from_space = (uint32_t)WEFT_SPACE_PE;
    run(copy, WEFT_E_ARGUMENT);
    copy = weft_copy_from_dram(NULL, 0u, 16u);
    copy.to_space = (uint32_t)WEFT_SPACE_DRAM;
    run(copy, WEFT_E_ARGUMENT);
    copy = weft_copy_to_dram(0u, board.from, 16u);
    copy.to = board.to; /* a pointer, where there is an offset */
    run(copy, WEFT_E_ARGUMENT);
}

TEST_MAIN(CASE(rows_go_every_way), CASE(bytes_move_when_the_job_is_over_and_in_order),
          CASE(a_cancelled_copy_writes_nothing), CASE(what_is_not_aligned_is_refused),
          CASE(places_that_are_not_there_are_refused), CASE(ways_that_there_are_not_are_refused))
