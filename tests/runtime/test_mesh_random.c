/* SPDX-License-Identifier: Apache-2.0 */
/* One PE of a mesh with randomly damaged tables: it is refused, or the whole mesh runs without
 * leaving tables, arenas and state. Nothing is said of what the frames become. */
#include "fixture.h"
#include "net.h"
#include "weft_test.h"

enum { ROUNDS = 6000, ACTIONS = 150, MOST_CHANGES = 2, PES = 3 };

/* Kernels of the shapes that nets call, which use the first byte behind each pointer: how far a
 * kernel goes is not for tables to say. */
static uint32_t touched;

static void touch_one(const weft_pe_t *pe, const uint32_t *args)
{
    *(uint8_t *)weft_pe_arena_at(pe, args[0]) += 1u;
    touched += args[1];
}

static void touch_two(const weft_pe_t *pe, const uint32_t *args)
{
    touched += *(const uint8_t *)weft_pe_at(pe, args[0]) + args[2];
    *(uint8_t *)weft_pe_arena_at(pe, args[1]) += 1u;
}

static const weft_kernel_t kernels[] = {{touch_one, 1u, 2u, 1u << 0, WEFT_ROLE_COMPUTE},
                                        {touch_two, 2u, 3u, 1u << 1, WEFT_ROLE_COMPUTE},
                                        {touch_one, 1u, 2u, 1u << 0, WEFT_ROLE_COMPUTE}};

static const weft_program_t program = {"touching", kernels, 3u, WEFT_TABLES_VERSION, NULL};

/* Both ways between PEs, within one, and two producers of one slot. */
static net_t *mesh(void)
{
    net_t *net = net_new(PES);
    for (uint32_t i = 0; i < 5u; ++i) (void)net_node(net, i % PES);
    net_input(net, net_slot(net, 0u, 2u));
    net_input(net, net_slot(net, 2u, 1u));
    (void)net_connect(net, 0u, 1u, 2u);
    (void)net_connect(net, 0u, 3u, 4u);
    const uint32_t slot = net_slot(net, 4u, 1u);
    net_link(net, 1u, slot);
    net_link(net, 2u, slot);
    net_link(net, 3u, slot);
    net_link(net, 4u, net_output(net, 1u, 2u));
    net_link(net, 2u, net_output(net, 0u, 1u));
    net->program = &program;
    net_start(net, NULL);
    return net;
}

static uint32_t changed(uint32_t word, const net_pe_t *pe, uint32_t *seed)
{
    switch (test_random(seed) % 4u) {
    case 0: return word ^ (UINT32_C(1) << (test_random(seed) % 32u));
    case 1: return word + test_random(seed) % 9u - 4u;
    case 2: return pe->words[test_random(seed) % pe->config.table_words];
    default: return test_random_extreme(seed);
    }
}

static void use_channels(weft_pe_t *pe)
{
    for (uint32_t i = 0; pe->tables != NULL && i < pe->tables->channels.count; ++i) {
        const weft_channel_row_t *row = weft_tables_channel(pe->tables, i);
        void *room = NULL;
        const void *seen = NULL;
        if (weft_pe_channel_acquire(pe, i, &room) == WEFT_OK) {
            const size_t last = (size_t)(row->rows - 1u) * row->row_stride;
            memset((uint8_t *)room + last, 7, row->row_bytes);
            (void)weft_pe_channel_publish(pe, i);
        }
        if (weft_pe_channel_observe(pe, i, &seen) == WEFT_OK) {
            touched += *(const uint8_t *)seen;
            (void)weft_pe_channel_release(pe, i);
        }
    }
}

/* Steps of PEs that went well. */
static uint32_t run(net_t *net, uint32_t *seed)
{
    uint32_t steps = 0;
    for (uint32_t i = 0; i < ACTIONS; ++i) {
        weft_pe_t *pe = net->pointers[test_random(seed) % PES];
        if (i % 8u == 0u) use_channels(pe);
        const weft_status_t status = weft_pe_step(pe);
        if (status == WEFT_OK) steps += 1u;
        CHECK(status <= WEFT_IDLE || status == WEFT_E_ARGUMENT || status == WEFT_E_SEQUENCE);
    }
    return steps;
}

static void many_rounds(uint32_t seed)
{
    uint32_t accepted = 0, steps = 0;
    for (uint32_t round = 0; round < ROUNDS; ++round) {
        net_t *net = mesh();
        net_pe_t *pe = &net->pes[test_random(&seed) % PES];
        const uint32_t changes = 1u + test_random(&seed) % MOST_CHANGES;
        NOTE("round %u", (unsigned)round);
        for (uint32_t i = 0; i < changes; ++i) {
            const uint32_t word = 2u + test_random(&seed) % (pe->config.table_words - 2u);
            pe->words[word] = changed(pe->words[word], pe, &seed);
        }
        const weft_status_t status = weft_pe_init(&pe->pe, &pe->config);
        CHECK(status == WEFT_OK || status == WEFT_E_TABLES || status == WEFT_E_STORAGE ||
              status == WEFT_E_ARGUMENT);
        const uint32_t went_well = run(net, &seed);
        if (status == WEFT_OK) accepted += 1u, steps += went_well;
        net_free(net);
    }
    /* Otherwise this would look at one half of the promise only. */
    CHECK(accepted > ROUNDS / 10u && accepted < ROUNDS);
    CHECK(steps > accepted * 10u);
}

TEST(a_mesh_with_damaged_tables_stays_in_its_memory_1)
{
    many_rounds(UINT32_C(1));
}

TEST(a_mesh_with_damaged_tables_stays_in_its_memory_2)
{
    many_rounds(UINT32_C(0x9E3779B9));
}

TEST_MAIN(CASE(a_mesh_with_damaged_tables_stays_in_its_memory_1),
          CASE(a_mesh_with_damaged_tables_stays_in_its_memory_2))
