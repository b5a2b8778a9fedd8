/* SPDX-License-Identifier: Apache-2.0 */
/* The search: states, what must hold in them, and the way from each to all that can follow. */
#include "explore.h"

#include "weft_test.h"

explored_t explored;

/* --- states ----------------------------------------------------------------------------------- */

/* What holds in every state: complete frames are right, and there is no more than fits. */
static void look_at_slots(void)
{
    for (uint32_t i = 0; i < explored.net->slot_count; ++i) {
        const net_slot_t *slot = &explored.net->slots[i];
        const uint32_t *state = explored.net->pes[slot->pe].state + slot->state;
        const uint32_t consumed = state[0];
        for (uint32_t k = 0; k < slot->producer_count; ++k) {
            if (state[1u + slot->depth + k] - consumed > slot->depth)
                explored.violation = "too many frames";
        }
        for (uint32_t k = 0; k < slot->depth; ++k) {
            const uint32_t room = (consumed + k) & (slot->depth - 1u);
            const uint32_t frame = consumed + k - explored.net->base;
            if (state[1u + room] > slot->producer_count) explored.violation = "too many arrivals";
            if (state[1u + room] != slot->producer_count) continue;
            if (!net_matches(explored.net, i, frame, net_room(explored.net, i, frame))) {
                explored.violation = "a frame was overwritten, or announced before it was there";
            }
        }
    }
}

static bool all_is_out(void)
{
    for (uint32_t i = 0; i < explored.net->slot_count; ++i) {
        if (net_is_output(explored.net, i) &&
            explored.net->slots[i].moved != explored.options.frames)
            return false;
    }
    return true;
}

typedef void (*piece_fn)(void *piece, size_t bytes, void *context);

/* All that changes. */
static void visit_state(piece_fn visit, void *context)
{
    for (uint32_t i = 0; i < explored.net->pe_count; ++i) {
        net_pe_t *pe = &explored.net->pes[i];
        visit(&pe->pe.epoch, sizeof pe->pe.epoch, context);
        visit(&pe->pe.shard, sizeof pe->pe.shard, context);
        visit(&pe->pe.next_task, sizeof pe->pe.next_task, context);
        visit(&pe->pe.fault, sizeof pe->pe.fault, context);
        visit(&pe->pe.firing, sizeof pe->pe.firing, context);
        visit(pe->state, pe->state_words * sizeof *pe->state, context);
        visit(pe->arena, pe->arena_bytes, context);
    }
    for (uint32_t i = 0; i < explored.net->slot_count; ++i) {
        visit(&explored.net->slots[i].moved, sizeof explored.net->slots[i].moved, context);
    }
    visit(&explored.restarts, sizeof explored.restarts, context);
    visit(explored.wire.counts, sizeof explored.wire.counts, context);
    visit(&explored.wire.copy_count, sizeof explored.wire.copy_count, context);
    visit(explored.wire.copies, explored.wire.copy_count * sizeof explored.wire.copies[0], context);
    for (uint32_t from = 0; from < explored.net->pe_count; ++from) {
        for (uint32_t to = 0; to < explored.net->pe_count; ++to) {
            visit(explored.wire.queues[from][to],
                  explored.wire.counts[from][to] * sizeof(message_t), context);
        }
    }
}

static void hash_piece(void *piece, size_t bytes, void *context)
{
    uint64_t *hash = context;
    const uint8_t *at = piece;
    for (size_t i = 0; i < bytes; i += sizeof(uint32_t)) {
        uint32_t word = 0;
        memcpy(&word, at + i, bytes - i < sizeof word ? bytes - i : sizeof word);
        *hash = (*hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
        *hash ^= *hash >> 29;
    }
}

static uint64_t hash_of_state(void)
{
    uint64_t hash = 1u;
    visit_state(hash_piece, &hash);
    return hash > 0u ? hash : 1u;
}

static void save_piece(void *piece, size_t bytes, void *context)
{
    uint8_t **at = context;
    memcpy(*at, piece, bytes);
    *at += bytes;
}

/* The queues' lengths come before the queues, so loading finds what saving wrote. */
static void load_piece(void *piece, size_t bytes, void *context)
{
    const uint8_t **at = context;
    memcpy(piece, *at, bytes);
    *at += bytes;
}

/* --- the search ------------------------------------------------------------------------------- */

enum { TABLE_BITS = 22, SAVED_BYTES = 4096, MOST_EVENTS = 64 };

static uint64_t *seen;
static explore_result_t found;

/* True for the first time. */
static bool is_new(uint64_t hash)
{
    const uint64_t mask = (UINT64_C(1) << TABLE_BITS) - 1u;
    uint64_t at = hash & mask;
    while (seen[at] != 0u && seen[at] != hash) at = (at + 1u) & mask;
    if (seen[at] == hash) return false;
    seen[at] = hash;
    found.states += 1u;
    CHECK(found.states < mask / 2u);
    return true;
}

static uint32_t list_events(event_t *events)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < explored.net->pe_count; ++i) events[count++] = (event_t){STEP, i, 0u};
    for (uint32_t i = 0; i < explored.net->slot_count; ++i) {
        if (net_is_input(explored.net, i)) events[count++] = (event_t){FEED, i, 0u};
        if (net_is_output(explored.net, i)) events[count++] = (event_t){FETCH, i, 0u};
    }
    for (uint32_t from = 0; from < explored.net->pe_count; ++from) {
        for (uint32_t to = 0; to < explored.net->pe_count; ++to) {
            if (explored.wire.counts[from][to] == 0u) continue;
            events[count++] = (event_t){DELIVER, from, to};
            if (explored.wire.copy_count < explored.options.copies) {
                events[count++] = (event_t){DELIVER_AND_KEEP, from, to};
            }
        }
    }
    for (uint32_t i = 0; i < explored.wire.copy_count; ++i)
        events[count++] = (event_t){DELIVER_COPY, i, 0u};
    if (explored.restarts < explored.options.restarts) events[count++] = (event_t){RESTART, 0u, 0u};
    CHECK(count <= MOST_EVENTS);
    return count;
}

/* One thread or interrupt does not interrupt itself; a repetition counts as its original, for a
 * port delivers what one PE says one after the other. */
static bool may_interrupt(event_t outer, event_t inner)
{
    if (outer.kind == RESTART || inner.kind == RESTART) return false;
    const bool delivers_outer = outer.kind >= DELIVER, delivers_inner = inner.kind >= DELIVER;
    if (delivers_outer && delivers_inner) {
        return outer.kind != DELIVER_COPY && inner.kind != DELIVER_COPY &&
               (outer.a != inner.a || outer.b != inner.b);
    }
    return delivers_outer != delivers_inner || outer.kind != inner.kind || outer.a != inner.a;
}

static void explore(void);

/* Loads the state, lets the event happen, and goes on from there; true if anything changed. */
static bool follow(const uint8_t *saved, uint64_t hash, event_t event)
{
    visit_state(load_piece, &(const uint8_t *){saved});
    explored.operations = 0u;
    explore_take(event);
    explored.interrupted_at = 0u;
    found.events += 1u;
    const uint64_t next = hash_of_state();
    if (next == hash) return false;
    if (explored.violation == NULL) look_at_slots();
    if (explored.violation == NULL && is_new(next)) explore();
    return true;
}

static void follow_interrupted(const uint8_t *saved, uint64_t hash, event_t outer, event_t inner)
{
    visit_state(load_piece, &(const uint8_t *){saved});
    explored.operations = 0u;
    explore_take(outer);
    const uint32_t count = explored.operations;
    for (uint32_t at = 2; at <= count && explored.violation == NULL; ++at) {
        explored.interruption = inner;
        explored.interrupted_at = at;
        (void)follow(saved, hash, outer);
    }
}

static void explore(void)
{
    uint8_t saved[SAVED_BYTES];
    uint8_t *end = saved;
    event_t events[MOST_EVENTS];
    bool moves = false;
    visit_state(save_piece, &end);
    CHECK(end <= saved + sizeof saved);
    const uint64_t hash = hash_of_state();
    const uint32_t count = list_events(events);
    for (uint32_t i = 0; i < count && explored.violation == NULL; ++i) {
        const bool moved = follow(saved, hash, events[i]);
        if (events[i].kind < DELIVER_AND_KEEP) moves = moves || moved;
        for (uint32_t k = 0;
             explored.options.interrupts && moved && k < count && explored.violation == NULL; ++k) {
            if (may_interrupt(events[i], events[k])) {
                follow_interrupted(saved, hash, events[i], events[k]);
            }
        }
    }
    visit_state(load_piece, &(const uint8_t *){saved});
    if (explored.violation == NULL && !moves) {
        found.ends += 1u;
        if (!all_is_out()) explored.violation = "nothing moves, and frames are missing";
    }
}

explore_result_t explore_all(net_t *mesh, explore_options_t what)
{
    memset(&explored, 0, sizeof explored);
    memset(&found, 0, sizeof found);
    explored.net = mesh;
    explored.options = what;
    seen = calloc((size_t)1 << TABLE_BITS, sizeof *seen);
    CHECK(seen != NULL);
    net_start(mesh, mesh);
    net_preset(mesh, what.base);
    (void)is_new(hash_of_state());
    explore();
    free(seen);
    net_free(mesh);
    found.violation = explored.violation;
    return found;
}
