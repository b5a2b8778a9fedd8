/* SPDX-License-Identifier: Apache-2.0 */
/* The port of the search: what PEs say to each other waits until the search delivers it. */
#include "explore.h"

#include "weft/port.h"
#include "weft_test.h"

/* --- the port --------------------------------------------------------------------------------- */

static void operation(void)
{
    explored.operations += 1u;
    if (explored.operations == explored.interrupted_at) explore_take(explored.interruption);
}

void weft_port_publish(uint32_t *counter, uint32_t value)
{
    operation();
    *counter = value;
}

uint32_t weft_port_observe(const uint32_t *counter)
{
    operation();
    return *counter;
}

void weft_port_add(uint32_t *counter, uint32_t amount)
{
    operation();
    *counter += amount;
}

static void write_run(uint32_t to, run_t run)
{
    memcpy(explored.net->pes[to].arena + run.offset, &run.word, sizeof run.word);
}

/* What was written before a new start does not come after it. */
static void write_runs(const message_t *message)
{
    if (message->epoch != explored.net->pes[message->to].pe.epoch) return;
    for (uint32_t i = 0; i < message->run_count; ++i) write_run(message->to, message->runs[i]);
}

weft_status_t weft_port_write(const weft_pe_t *pe, uint32_t to, uint32_t offset, const void *from,
                              uint32_t bytes)
{
    run_t run = {offset, 0u};
    operation();
    CHECK_EQ(bytes, sizeof run.word);
    memcpy(&run.word, from, sizeof run.word);
    if (explored.options.port == PORT_WRITES_AT_ONCE ||
        explored.options.port == PORT_GIVES_CREDIT_EARLY) {
        write_run(to, run);
        return WEFT_OK;
    }
    message_t *open = &explored.wire.open[pe->number];
    CHECK(open->run_count < MOST_RUNS);
    open->runs[open->run_count++] = run;
    return WEFT_OK;
}

weft_status_t weft_port_write_box(const weft_pe_t *pe, uint32_t to, const weft_box_t *box)
{
    return weft_port_write_runs(pe, to, box);
}

static void push(message_t message)
{
    uint32_t *count = &explored.wire.counts[message.from][message.to];
    CHECK(*count < MOST_QUEUED);
    explored.wire.queues[message.from][message.to][(*count)++] = message;
}

weft_status_t weft_port_signal_arrival(const weft_pe_t *pe, uint32_t to, uint32_t slot,
                                       uint32_t producer, uint32_t frame)
{
    message_t message = explored.wire.open[pe->number];
    operation();
    message.kind = ARRIVAL;
    message.epoch = pe->epoch;
    message.from = pe->number;
    message.to = to;
    message.end = slot;
    message.producer = producer;
    message.value = frame;
    memset(&explored.wire.open[pe->number], 0, sizeof explored.wire.open[0]);
    push(message);
    return WEFT_OK;
}

weft_status_t weft_port_signal_credit(const weft_pe_t *pe, uint32_t to, uint32_t send,
                                      uint32_t consumed)
{
    const message_t message = {.kind = CREDIT,
                               .epoch = pe->epoch,
                               .from = pe->number,
                               .to = to,
                               .end = send,
                               .value = consumed};
    operation();
    push(message);
    return WEFT_OK;
}

/* --- events ----------------------------------------------------------------------------------- */

static void deliver(const message_t *message)
{
    weft_pe_t *pe = &explored.net->pes[message->to].pe;
    const bool forgets = explored.options.port == PORT_FORGETS_EPOCHS;
    const uint32_t epoch = forgets ? pe->epoch : message->epoch;
    weft_status_t status = WEFT_OK;
    if (message->kind == CREDIT) {
        status = weft_pe_deliver_credit(pe, epoch, message->end, message->value);
    } else if (message->kind == ARRIVAL) {
        status =
            weft_pe_deliver_arrival(pe, epoch, message->end, message->producer, message->value);
    }
    if (status != WEFT_OK) explored.violation = "a message was refused";
}

/* The credit that only the consumer may give. */
static void give_credit_early(const message_t *arrival)
{
    const weft_tables_t *tables = explored.net->pes[arrival->to].pe.tables;
    const weft_slot_row_t *slot = weft_tables_slot(tables, arrival->end);
    const weft_return_row_t *row =
        weft_tables_return(tables, slot->first_return + arrival->producer);
    push((message_t){.kind = CREDIT,
                     .epoch = arrival->epoch,
                     .from = arrival->to,
                     .to = row->pe,
                     .end = row->send,
                     .value = arrival->value + 1u});
}

/* The oldest message of a pair; a port that breaks its promise takes the youngest. */
static message_t pop(uint32_t from, uint32_t to)
{
    message_t *queue = explored.wire.queues[from][to];
    const uint32_t last = --explored.wire.counts[from][to];
    const uint32_t at = explored.options.port == PORT_MIXES_UP_ORDER ? last : 0u;
    const message_t message = queue[at];
    memmove(queue + at, queue + at + 1, (last - at) * sizeof *queue);
    memset(&queue[last], 0, sizeof *queue);
    return message;
}

static void deliver_next(uint32_t from, uint32_t to, bool keeps_copy)
{
    if (explored.wire.counts[from][to] == 0u) return;
    message_t message = pop(from, to);
    if (explored.options.port == PORT_LOSES_CREDIT && message.kind == CREDIT && message.value == 2u)
        return;
    if (explored.options.port == PORT_ANNOUNCES_BEFORE_IT_WRITES && message.run_count > 0u) {
        message_t data = message;
        data.kind = DATA;
        CHECK(explored.wire.copy_count < MOST_COPIES);
        explored.wire.copies[explored.wire.copy_count++] = data;
    } else {
        write_runs(&message);
    }
    message.run_count = 0u; /* a signal may come again, data must not */
    memset(message.runs, 0, sizeof message.runs);
    if (keeps_copy) explored.wire.copies[explored.wire.copy_count++] = message;
    if (explored.options.port == PORT_GIVES_CREDIT_EARLY && message.kind == ARRIVAL) {
        give_credit_early(&message);
    }
    deliver(&message);
}

static void deliver_copy(uint32_t index)
{
    if (index >= explored.wire.copy_count) return;
    const message_t message = explored.wire.copies[index];
    explored.wire.copies[index] = explored.wire.copies[--explored.wire.copy_count];
    memset(&explored.wire.copies[explored.wire.copy_count], 0, sizeof message);
    write_runs(&message);
    deliver(&message);
}

static void feed(uint32_t slot)
{
    net_slot_t *row = &explored.net->slots[slot];
    weft_pe_t *pe = &explored.net->pes[row->pe].pe;
    void *room = NULL;
    if (row->moved == explored.options.frames) return;
    if (weft_pe_channel_acquire(pe, row->channel, &room) != WEFT_OK) return;
    net_fill(slot, row->moved, room);
    if (weft_pe_channel_publish(pe, row->channel) != WEFT_OK)
        explored.violation = "acquired, not published";
    row->moved += 1u;
}

static void fetch(uint32_t slot)
{
    net_slot_t *row = &explored.net->slots[slot];
    weft_pe_t *pe = &explored.net->pes[row->pe].pe;
    const void *room = NULL;
    if (weft_pe_channel_observe(pe, row->channel, &room) != WEFT_OK) return;
    if (!net_matches(explored.net, slot, row->moved, room))
        explored.violation = "a wrong frame came out";
    if (weft_pe_channel_release(pe, row->channel) != WEFT_OK)
        explored.violation = "observed, not released";
    row->moved += 1u;
}

/* All PEs at once, from the first frame on. The arenas keep what is in them. */
static void restart(void)
{
    net_t *net = explored.net;
    explored.restarts += 1u;
    for (uint32_t i = 0; i < net->pe_count; ++i) {
        weft_pe_config_t config = net->pes[i].config;
        config.epoch += explored.restarts;
        CHECK_EQ(weft_pe_init(&net->pes[i].pe, &config), WEFT_OK);
    }
    net_preset(net, net->base);
    for (uint32_t i = 0; i < net->slot_count; ++i) net->slots[i].moved = 0u;
}

void explore_take(event_t event)
{
    switch (event.kind) {
    case STEP:
        if (weft_pe_step(&explored.net->pes[event.a].pe) > WEFT_IDLE)
            explored.violation = "a step failed";
        break;
    case FEED: feed(event.a); break;
    case FETCH: fetch(event.a); break;
    case DELIVER: deliver_next(event.a, event.b, false); break;
    case DELIVER_AND_KEEP:
        if (explored.wire.copy_count < explored.options.copies)
            deliver_next(event.a, event.b, true);
        break;
    case DELIVER_COPY: deliver_copy(event.a); break;
    case RESTART: restart(); break;
    }
}
