/* SPDX-License-Identifier: Apache-2.0 */
#include "net.h"

#include "fixture.h"
#include "weft_test.h"

/* --- kernels ---------------------------------------------------------------------------------- */

static uint32_t mixed(uint32_t value, uint32_t word)
{
    const uint32_t x = (value ^ word) * 0x9E3779B1u;
    return (x ^ x >> 15) + word;
}

static void begin(uint32_t id, uint32_t *result)
{
    for (uint32_t w = 0; w < NET_WORDS; ++w) result[w] = mixed(id + 1u, w);
}

static void mix(const uint32_t *frame, uint32_t producers, uint32_t *result)
{
    for (uint32_t i = 0; i < NET_WORDS * producers; ++i) {
        result[i / producers] = mixed(result[i / producers], frame[i]);
    }
}

/* A node without slots has nothing but the number of its firing. */
static void number(uint32_t firing, uint32_t *result)
{
    for (uint32_t w = 0; w < NET_WORDS; ++w) result[w] = mixed(result[w], firing);
}

static void invoke_begin(const weft_pe_t *pe, const uint32_t *args)
{
    begin(args[1], weft_pe_arena_at(pe, args[0]));
}

static void invoke_mix(const weft_pe_t *pe, const uint32_t *args)
{
    mix(weft_pe_at(pe, args[0]), args[2], weft_pe_arena_at(pe, args[1]));
}

static void invoke_number(const weft_pe_t *pe, const uint32_t *args)
{
    number(pe->state[args[1]], weft_pe_arena_at(pe, args[0]));
}

enum { BEGIN, MIX, NUMBER, KERNELS };

static const weft_kernel_t kernels[KERNELS] = {
    {invoke_begin, 1u, 2u, 1u << 0, WEFT_ROLE_COMPUTE},
    {invoke_mix, 2u, 3u, 1u << 1, WEFT_ROLE_COMPUTE},
    {invoke_number, 1u, 2u, 1u << 0, WEFT_ROLE_COMPUTE},
};

static const weft_program_t program = {"net", kernels, KERNELS, WEFT_TABLES_VERSION, NULL};

/* --- building --------------------------------------------------------------------------------- */

net_t *net_new(uint32_t pes)
{
    net_t *net = calloc(1u, sizeof *net);
    CHECK(net != NULL && pes <= NET_MOST_PES);
    net->pe_count = pes;
    return net;
}

void net_free(net_t *net)
{
    for (uint32_t i = 0; i < net->pe_count; ++i) {
        free(net->pes[i].words);
        free(net->pes[i].state);
        free(net->pes[i].arena);
    }
    free(net);
}

uint32_t net_node(net_t *net, uint32_t pe)
{
    CHECK(net->node_count < NET_MOST_NODES && pe < net->pe_count);
    net->nodes[net->node_count].pe = pe;
    net->nodes[net->node_count].known_frame = UINT32_MAX;
    return net->node_count++;
}

static uint32_t new_slot(net_t *net, uint32_t pe, uint32_t reader, uint32_t depth)
{
    CHECK(net->slot_count < NET_MOST_SLOTS);
    net->slots[net->slot_count] = (net_slot_t){.pe = pe, .reader = reader, .depth = depth};
    return net->slot_count++;
}

uint32_t net_slot(net_t *net, uint32_t node, uint32_t depth)
{
    net_node_t *reader = &net->nodes[node];
    CHECK(reader->slot_count < NET_MOST_ENDS);
    const uint32_t slot = new_slot(net, reader->pe, node, depth);
    reader->slots[reader->slot_count++] = slot;
    return slot;
}

uint32_t net_output(net_t *net, uint32_t pe, uint32_t depth)
{
    return new_slot(net, pe, NET_OUTSIDE, depth);
}

static uint32_t new_producer(net_t *net, uint32_t slot, uint32_t node)
{
    net_slot_t *row = &net->slots[slot];
    CHECK(row->producer_count < NET_MOST_ENDS);
    row->producers[row->producer_count] = node;
    return row->producer_count++;
}

void net_input(net_t *net, uint32_t slot)
{
    CHECK_EQ(new_producer(net, slot, NET_OUTSIDE), 0);
}

void net_link(net_t *net, uint32_t node, uint32_t slot)
{
    net_node_t *producer = &net->nodes[node];
    CHECK(producer->target_count < NET_MOST_ENDS);
    const uint32_t number_there = new_producer(net, slot, node);
    producer->targets[producer->target_count++] = (net_end_t){slot, number_there};
}

uint32_t net_connect(net_t *net, uint32_t from, uint32_t to, uint32_t depth)
{
    const uint32_t slot = net_slot(net, to, depth);
    net_link(net, from, slot);
    return slot;
}

/* --- tables ----------------------------------------------------------------------------------- */

static uint32_t frame_bytes(const net_slot_t *slot)
{
    return slot->producer_count * NET_RESULT;
}

static void place_slot(net_pe_t *pe, net_slot_t *slot)
{
    slot->index = pe->slot_count++;
    slot->offset = pe->arena_bytes;
    slot->state = pe->state_words;
    pe->arena_bytes += slot->depth * frame_bytes(slot);
    pe->state_words += 1u + slot->depth + slot->producer_count;
    if (slot->reader == NET_OUTSIDE || slot->producers[0] == NET_OUTSIDE) {
        slot->channel = pe->channel_count++;
    }
    if (slot->producers[0] != NET_OUTSIDE) pe->return_count += slot->producer_count;
}

static void place_node(net_t *net, net_node_t *node)
{
    net_pe_t *pe = &net->pes[node->pe];
    node->shard = pe->shard_count++;
    node->first_send = pe->send_count;
    node->result_at = pe->arena_bytes;
    pe->arena_bytes += NET_RESULT;
    pe->send_count += node->target_count;
    pe->call_count += node->slot_count > 0u ? 1u + node->slot_count : 2u;
    pe->arg_count += node->slot_count > 0u ? 2u + 3u * node->slot_count : 4u;
    for (uint32_t i = 0; i < node->target_count; ++i) {
        const net_end_t end = node->targets[i];
        net->slots[end.slot].sends[end.producer] = node->first_send + i;
    }
}

/* Slots of the nodes in their order, then outputs; state words of slots, shards, sends. */
static void lay_out(net_t *net)
{
    for (uint32_t i = 0; i < net->node_count; ++i) {
        for (uint32_t k = 0; k < net->nodes[i].slot_count; ++k) {
            place_slot(&net->pes[net->nodes[i].pe], &net->slots[net->nodes[i].slots[k]]);
        }
        place_node(net, &net->nodes[i]);
    }
    for (uint32_t i = 0; i < net->slot_count; ++i) {
        if (net_is_output(net, i)) place_slot(&net->pes[net->slots[i].pe], &net->slots[i]);
    }
    for (uint32_t i = 0; i < net->node_count; ++i) {
        net_pe_t *pe = &net->pes[net->nodes[i].pe];
        net->nodes[i].state = pe->state_words + net->nodes[i].shard;
    }
    for (uint32_t i = 0; i < net->pe_count; ++i) {
        net->pes[i].state_words += net->pes[i].shard_count + net->pes[i].send_count;
    }
}

static void put(uint32_t **cursor, const uint32_t *words, size_t bytes)
{
    memcpy(*cursor, words, bytes);
    *cursor += bytes / sizeof *words;
}

#define PUT(cursor_, ...) \
    put((cursor_), (const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__}))

static void put_slots(const net_t *net, uint32_t pe, uint32_t *slots, uint32_t *returns,
                      uint32_t *channels)
{
    uint32_t first_return = 0;
    for (uint32_t index = 0; index < net->pes[pe].slot_count; ++index) {
        uint32_t number_of = 0;
        while (net->slots[number_of].pe != pe || net->slots[number_of].index != index) ++number_of;
        const net_slot_t *slot = &net->slots[number_of];
        const bool is_input = net_is_input(net, number_of);
        const uint32_t return_count = is_input ? 0u : slot->producer_count;
        PUT(&slots, slot->offset, frame_bytes(slot), slot->depth, slot->producer_count,
            first_return, return_count, slot->state);
        first_return += return_count;
        for (uint32_t i = 0; i < return_count; ++i) {
            PUT(&returns, net->nodes[slot->producers[i]].pe, slot->sends[i]);
        }
        if (is_input || slot->reader == NET_OUTSIDE) {
            PUT(&channels, is_input ? 0u : 1u, index, 0u, 2u, frame_bytes(slot) / 2u,
                frame_bytes(slot) / 2u);
        }
    }
}

static void put_sends(const net_t *net, const net_node_t *node, uint32_t **sends)
{
    const net_pe_t *pe = &net->pes[node->pe];
    for (uint32_t i = 0; i < node->target_count; ++i) {
        const net_end_t end = node->targets[i];
        const net_slot_t *slot = &net->slots[end.slot];
        const uint32_t word = 4u, step = slot->producer_count * word;
        PUT(sends, slot->pe, slot->index, end.producer, slot->depth, node->result_at,
            slot->offset + end.producer * word, frame_bytes(slot), 2u, 2u, word, 2u * word, word,
            2u * step, step, pe->state_words - pe->send_count + node->first_send + i);
    }
}

static void put_calls(const net_t *net, uint32_t node, uint32_t **calls, uint32_t **args,
                      const uint32_t *first_arg)
{
    const net_node_t *row = &net->nodes[node];
    PUT(calls, BEGIN, (uint32_t)(*args - first_arg));
    PUT(args, row->result_at, node);
    if (row->slot_count == 0u) {
        PUT(calls, NUMBER, (uint32_t)(*args - first_arg));
        PUT(args, row->result_at, row->state);
    }
    for (uint32_t i = 0; i < row->slot_count; ++i) {
        const net_slot_t *slot = &net->slots[row->slots[i]];
        PUT(calls, MIX, (uint32_t)(*args - first_arg));
        PUT(args, WEFT_IN_SLOT | slot->index << WEFT_SLOT_SHIFT, row->result_at,
            slot->producer_count);
    }
}

static void put_shards(const net_t *net, uint32_t pe, uint32_t *shards, uint32_t *sends,
                       uint32_t *tasks, uint32_t *calls, uint32_t *args)
{
    const uint32_t *first_call = calls, *first_arg = args;
    uint32_t slot = 0, task = 0;
    for (uint32_t i = 0; i < net->node_count; ++i) {
        const net_node_t *node = &net->nodes[i];
        if (node->pe != pe) continue;
        const uint32_t call = (uint32_t)(calls - first_call) / 2u;
        put_calls(net, i, &calls, &args, first_arg);
        const uint32_t call_count = (uint32_t)(calls - first_call) / 2u - call;
        const uint32_t task_count = net->one_call_a_task ? call_count : 1u;
        for (uint32_t k = 0; k < task_count; ++k) {
            PUT(&tasks, call + k, net->one_call_a_task ? 1u : call_count);
        }
        PUT(&shards, slot, node->slot_count, task, task_count, node->first_send, node->target_count,
            node->state);
        put_sends(net, node, &sends);
        slot += node->slot_count;
        task += task_count;
    }
}

static void write_tables(const net_t *net, uint32_t number_of)
{
    const net_pe_t *pe = &net->pes[number_of];
    const uint32_t task_count = net->one_call_a_task ? pe->call_count : pe->shard_count;
    const uint32_t counts[] = {pe->slot_count,    pe->shard_count, pe->send_count, pe->return_count,
                               pe->channel_count, task_count,      pe->call_count, pe->arg_count};
    static const uint32_t sizes[] = {SLOT_WORDS,    SHARD_WORDS, SEND_WORDS, RETURN_WORDS,
                                     CHANNEL_WORDS, 2u,          2u,         1u};
    uint32_t *at[8], total = HEAD_WORDS;
    uint32_t *words = pe->words;
    for (uint32_t i = 0; i < 8u; ++i) {
        at[i] = words + total;
        words[AT_SLOT_COUNT + 2u * i] = counts[i];
        words[AT_SLOTS_AT + 2u * i] = total;
        total += counts[i] * sizes[i];
    }
    const uint32_t head[] = {WEFT_TABLES_MAGIC, WEFT_TABLES_VERSION, total, pe->arena_bytes, 0u,
                             pe->state_words};
    memcpy(words, head, sizeof head);
    words[AT_LANE_COUNT] = 0u;
    words[AT_LANES_AT] = total;
    put_slots(net, number_of, at[0], at[3], at[4]);
    put_shards(net, number_of, at[1], at[2], at[5], at[6], at[7]);
}

static uint32_t word_count(const net_t *net, const net_pe_t *pe)
{
    const uint32_t tasks = net->one_call_a_task ? pe->call_count : pe->shard_count;
    return HEAD_WORDS + pe->slot_count * SLOT_WORDS + pe->shard_count * SHARD_WORDS +
           pe->send_count * SEND_WORDS + pe->return_count * RETURN_WORDS +
           pe->channel_count * CHANNEL_WORDS + 2u * tasks + 2u * pe->call_count + pe->arg_count;
}

void net_start(net_t *net, void *port)
{
    lay_out(net);
    net->mesh.pes = net->pointers;
    net->mesh.count = net->pe_count;
    for (uint32_t i = 0; i < net->pe_count; ++i) {
        net_pe_t *pe = &net->pes[i];
        const uint32_t words = word_count(net, pe);
        pe->words = calloc(words, sizeof *pe->words);
        pe->state = calloc(pe->state_words + 1u, sizeof *pe->state);
        pe->arena = fixture_aligned(pe->arena_bytes > 0u ? pe->arena_bytes : 1u);
        CHECK(pe->words != NULL && pe->state != NULL);
        memset(pe->arena, 0xEE, pe->arena_bytes);
        write_tables(net, i);
        pe->config = (weft_pe_config_t){
            .program = net->program != NULL ? net->program : &program,
            .tables = (const weft_tables_t *)pe->words,
            .table_words = words,
            .arena = pe->arena,
            .arena_bytes = pe->arena_bytes,
            .state = pe->state,
            .state_words = pe->state_words,
            .number = i,
            .epoch = NET_EPOCH,
            .port = port != NULL ? port : &net->mesh,
        };
        NOTE("PE %u", (unsigned)i);
        CHECK_EQ(weft_pe_init(&pe->pe, &pe->config), WEFT_OK);
        net->pointers[i] = &pe->pe;
    }
}

void net_preset(net_t *net, uint32_t base)
{
    net->base = base;
    for (uint32_t i = 0; i < net->slot_count; ++i) {
        const net_slot_t *slot = &net->slots[i];
        uint32_t *state = net->pes[slot->pe].state + slot->state;
        state[0] = base;
        for (uint32_t k = 0; k < slot->producer_count; ++k) state[1u + slot->depth + k] = base;
    }
    for (uint32_t i = 0; i < net->pe_count; ++i) {
        const net_pe_t *pe = &net->pes[i];
        const uint32_t last = pe->shard_count + pe->send_count;
        for (uint32_t k = 1; k <= last; ++k) pe->state[pe->state_words - k] = base;
    }
}

/* --- running ---------------------------------------------------------------------------------- */

bool net_is_input(const net_t *net, uint32_t slot)
{
    return net->slots[slot].producers[0] == NET_OUTSIDE;
}

bool net_is_output(const net_t *net, uint32_t slot)
{
    return net->slots[slot].reader == NET_OUTSIDE;
}

void net_fill(uint32_t slot, uint32_t frame, void *room)
{
    uint32_t words[NET_WORDS];
    for (uint32_t w = 0; w < NET_WORDS; ++w) words[w] = mixed(mixed(slot + 1000u, frame), w);
    memcpy(room, words, sizeof words);
}

static void expect_frame(net_t *net, uint32_t slot, uint32_t frame, uint32_t *words);

/* Every node is computed once a frame. */
static const uint32_t *expected_of(net_t *net, uint32_t node, uint32_t frame)
{
    net_node_t *row = &net->nodes[node];
    if (row->known_frame == frame) return row->known;
    begin(node, row->known);
    if (row->slot_count == 0u) number(net->base + frame, row->known);
    for (uint32_t i = 0; i < row->slot_count; ++i) {
        uint32_t words[NET_WORDS * NET_MOST_ENDS];
        expect_frame(net, row->slots[i], frame, words);
        mix(words, net->slots[row->slots[i]].producer_count, row->known);
    }
    row->known_frame = frame;
    return row->known;
}

static void expect_frame(net_t *net, uint32_t slot, uint32_t frame, uint32_t *words)
{
    const net_slot_t *row = &net->slots[slot];
    if (net_is_input(net, slot)) {
        net_fill(slot, frame, words);
        return;
    }
    for (uint32_t i = 0; i < row->producer_count; ++i) {
        const uint32_t *result = expected_of(net, row->producers[i], frame);
        for (uint32_t w = 0; w < NET_WORDS; ++w) words[w * row->producer_count + i] = result[w];
    }
}

bool net_matches(net_t *net, uint32_t slot, uint32_t frame, const void *room)
{
    uint32_t words[NET_WORDS * NET_MOST_ENDS];
    expect_frame(net, slot, frame, words);
    return memcmp(words, room, frame_bytes(&net->slots[slot])) == 0;
}

uint8_t *net_room(net_t *net, uint32_t slot, uint32_t frame)
{
    const net_slot_t *row = &net->slots[slot];
    const uint32_t room = (net->base + frame) & (row->depth - 1u);
    return net->pes[row->pe].arena + row->offset + room * frame_bytes(row);
}

bool net_feed(net_t *net, uint32_t slot)
{
    net_slot_t *row = &net->slots[slot];
    weft_pe_t *pe = &net->pes[row->pe].pe;
    void *room = NULL;
    const weft_status_t status = weft_pe_channel_acquire(pe, row->channel, &room);
    if (status == WEFT_NO_CREDIT) return false;
    CHECK_EQ(status, WEFT_OK);
    net_fill(slot, row->moved, room);
    CHECK_EQ(weft_pe_channel_publish(pe, row->channel), WEFT_OK);
    row->moved += 1u;
    return true;
}

bool net_fetch(net_t *net, uint32_t slot)
{
    net_slot_t *row = &net->slots[slot];
    weft_pe_t *pe = &net->pes[row->pe].pe;
    const void *room = NULL;
    const weft_status_t status = weft_pe_channel_observe(pe, row->channel, &room);
    if (status == WEFT_NO_FRAME) return false;
    CHECK_EQ(status, WEFT_OK);
    NOTE("frame %u of slot %u", (unsigned)row->moved, (unsigned)slot);
    CHECK(net_matches(net, slot, row->moved, room));
    CHECK_EQ(weft_pe_channel_release(pe, row->channel), WEFT_OK);
    row->moved += 1u;
    return true;
}

bool net_step(net_t *net, uint32_t pe)
{
    const weft_status_t status = weft_pe_step(&net->pes[pe].pe);
    if (status == WEFT_IDLE) return false;
    NOTE("step of PE %u", (unsigned)pe);
    CHECK_EQ(status, WEFT_OK);
    return true;
}

uint32_t net_node_with_send(const net_t *net, uint32_t pe, uint32_t send)
{
    for (uint32_t i = 0; i < net->node_count; ++i) {
        const net_node_t *node = &net->nodes[i];
        if (node->pe == pe && send - node->first_send < node->target_count) return i;
    }
    return NET_OUTSIDE;
}

uint32_t net_node_with_slot(const net_t *net, uint32_t pe, uint32_t slot)
{
    for (uint32_t i = 0; i < net->slot_count; ++i) {
        if (net->slots[i].pe == pe && net->slots[i].index == slot) return net->slots[i].reader;
    }
    return NET_OUTSIDE;
}
