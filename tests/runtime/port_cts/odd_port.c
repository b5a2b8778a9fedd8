/* SPDX-License-Identifier: Apache-2.0 */
/* The host's port with one promise broken, as ODD says; and one that is odd but keeps them all. */
#define weft_port_publish sound_publish
#define weft_port_observe sound_observe
#define weft_port_add sound_add
#define weft_port_clock sound_clock
#define weft_port_write sound_write
#define weft_port_write_box sound_write_box
#define weft_port_signal_arrival sound_signal_arrival
#define weft_port_signal_credit sound_signal_credit
#include "../../../runtime/port/host/port.c"
#undef weft_port_publish
#undef weft_port_observe
#undef weft_port_add
#undef weft_port_clock
#undef weft_port_write
#undef weft_port_write_box
#undef weft_port_signal_arrival
#undef weft_port_signal_credit

#include <sched.h>

#include "port_cts.h"

#define IS(name) (ODD == (name))

enum {
    REPEATS = 1,   /* every signal twice, and old ones: allowed */
    HALF_PUBLISH,  /* publishes 16 bits */
    LATE_PUBLISH,  /* publishes what was to be published the time before */
    STALE_OBSERVE, /* observes what it published itself, whoever else wrote */
    SHORT_ADD,     /* adds 8 bits of the amount */
    TORN_ADD,      /* lets others in between load and store */
    FORGETFUL_ADD, /* does not add for others' contexts what is 2^31 or more */
    LATE_WRITE,    /* data come behind the signal */
    SHORT_WRITE,   /* all but the last byte */
    WIDE_WRITE,    /* whole words */
    MISPLACED_WRITE,
    REPEATED_WRITE, /* again, frames later */
    LOST_ARRIVAL,   /* one of ten */
    LOST_CREDIT,    /* one of ten */
    SWAPPED,        /* two arrivals */
    NO_EPOCH,
    ANY_PE_WRITE, /* says that it wrote to a PE that is not there */
    ANY_PE_ARRIVAL,
    ANY_PE_CREDIT,
    BEYOND_ARENA,  /* writes where there is no arena */
    WRONG_REFUSAL, /* refuses with another status */
    STUCK_CLOCK,
    SHAKY_CLOCK /* goes back now and then */
};

void weft_port_publish(uint32_t *counter, uint32_t value)
{
    static uint32_t *late_counter, late_value;
    if (IS(HALF_PUBLISH)) {
        uint16_t half = (uint16_t)value;
        memcpy(counter, &half, sizeof half);
    } else if (IS(LATE_PUBLISH)) {
        if (late_counter == counter) sound_publish(counter, late_value);
        late_counter = counter;
        late_value = value;
    } else {
        sound_publish(counter, value);
    }
}

uint32_t weft_port_observe(const uint32_t *counter)
{
    static const uint32_t *known;
    static uint32_t value;
    if (IS(STALE_OBSERVE) && known == counter) {
        known = NULL;
        return value;
    }
    const uint32_t seen = sound_observe(counter);
    if (IS(STALE_OBSERVE)) known = counter, value = seen;
    return seen;
}

void weft_port_add(uint32_t *counter, uint32_t amount)
{
    if (IS(SHORT_ADD)) {
        sound_add(counter, amount & 0xFFu);
    } else if (IS(TORN_ADD)) {
        const uint32_t before = sound_observe(counter);
        sched_yield();
        sound_publish(counter, before + amount);
    } else if (!IS(FORGETFUL_ADD) || (amount & 0x80000000u) == 0u) {
        sound_add(counter, amount);
    }
}

uint32_t weft_port_clock(const weft_pe_t *pe)
{
    static uint32_t asked;
    if (IS(STUCK_CLOCK)) return 7u;
    asked += 1u;
    return sound_clock(pe) - (IS(SHAKY_CLOCK) && asked % 16u == 0u ? 1000u : 0u);
}

/* --- writes ------------------------------------------------------------------------------------ */

typedef struct write {
    uint32_t to, offset, bytes;
    uint8_t data[64];
} write_t;

static weft_status_t redo(const weft_pe_t *pe, const write_t *write)
{
    return sound_write(pe, write->to, write->offset, write->data, write->bytes);
}

static weft_status_t write_late(const weft_pe_t *pe, const write_t *write)
{
    static write_t held;
    const write_t due = held;
    held = *write;
    return due.bytes > 0u ? redo(pe, &due) : WEFT_OK;
}

static weft_status_t write_again(const weft_pe_t *pe, const write_t *write)
{
    static write_t old[64];
    static uint32_t count;
    const write_t *again = &old[(count + 32u) % 64u]; /* four frames ago: the same room */
    const weft_status_t status = redo(pe, write);
    if (count >= 64u) (void)redo(pe, again);
    old[count++ % 64u] = *write;
    return status;
}

weft_status_t weft_port_write(const weft_pe_t *pe, uint32_t to, uint32_t offset, const void *from,
                              uint32_t bytes)
{
    write_t write = {to, offset, bytes, {0}};
    if (bytes <= sizeof write.data) memcpy(write.data, from, bytes);
    const weft_status_t status = sound_write(pe, to, offset, from, bytes);
    if (status != WEFT_OK) {
        if (IS(ANY_PE_WRITE) && find(pe, to) == NULL) return WEFT_OK;
        if (IS(BEYOND_ARENA) && find(pe, to) != NULL) {
            if (offset < (uint32_t)WEFT_PORT_CTS_ARENA + 32u)
                memcpy(find(pe, to)->arena + offset, from, bytes);
            return WEFT_OK;
        }
        return IS(WRONG_REFUSAL) ? WEFT_E_STOPPED : status;
    }
    switch (ODD) {
    case LATE_WRITE:
        /* As if it had not been written yet. */
        memset(find(pe, to)->arena + offset, 0, bytes);
        return write_late(pe, &write);
    case SHORT_WRITE: find(pe, to)->arena[offset + bytes - 1u] ^= 0x55u; return WEFT_OK;
    case WIDE_WRITE:
        if (bytes % 4u != 0u) memset(find(pe, to)->arena + offset + bytes, 0, 4u - bytes % 4u);
        return WEFT_OK;
    case MISPLACED_WRITE:
        if (bytes % 4u != 0u) find(pe, to)->arena[offset - 1u] = write.data[0];
        return WEFT_OK;
    case REPEATED_WRITE: return write_again(pe, &write);
    default: return WEFT_OK;
    }
}

weft_status_t weft_port_write_box(const weft_pe_t *pe, uint32_t to, const weft_box_t *box)
{
    for (uint32_t o = 0; o < box->outer; ++o) {
        for (uint32_t i = 0; i < box->inner; ++i) {
            const uint8_t *from = box->from + o * box->from_outer + i * box->from_inner;
            const uint32_t offset = box->to + o * box->to_outer + i * box->to_inner;
            WEFT_RETURN_IF_ERROR(weft_port_write(pe, to, offset, from, box->bytes));
        }
    }
    return WEFT_OK;
}

/* --- signals ----------------------------------------------------------------------------------- */

static weft_pe_t as_epoch_0(const weft_pe_t *pe)
{
    weft_pe_t other = *pe;
    other.epoch = 0u;
    return other;
}

weft_status_t weft_port_signal_arrival(const weft_pe_t *pe, uint32_t to, uint32_t slot,
                                       uint32_t producer, uint32_t frame)
{
    static uint32_t count;
    static uint32_t held_frame[4], is_held[4];
    const weft_pe_t other = as_epoch_0(pe);
    weft_status_t status = WEFT_OK;
    count += 1u;
    if (IS(ANY_PE_ARRIVAL) && find(pe, to) == NULL) return WEFT_OK;
    if (IS(LOST_ARRIVAL) && count % 10u == 0u) return WEFT_OK;
    if (IS(NO_EPOCH)) return sound_signal_arrival(&other, to, slot, producer, frame);
    if (IS(SWAPPED) && frame % 8u == 6u && frame > 30u) {
        held_frame[slot] = frame;
        is_held[slot] = 1u;
        return WEFT_OK;
    }
    status = sound_signal_arrival(pe, to, slot, producer, frame);
    if (IS(SWAPPED) && is_held[slot] != 0u) {
        is_held[slot] = 0u;
        (void)sound_signal_arrival(pe, to, slot, producer, held_frame[slot]);
    }
    if (IS(REPEATS)) {
        (void)sound_signal_arrival(pe, to, slot, producer, frame);
        if (frame > 3u) (void)sound_signal_arrival(pe, to, slot, producer, frame - 3u);
    }
    return status;
}

weft_status_t weft_port_signal_credit(const weft_pe_t *pe, uint32_t to, uint32_t send,
                                      uint32_t consumed)
{
    static uint32_t count;
    count += 1u;
    if (IS(ANY_PE_CREDIT) && find(pe, to) == NULL) return WEFT_OK;
    if (IS(LOST_CREDIT) && count % 10u == 0u) return WEFT_OK;
    const weft_status_t status = sound_signal_credit(pe, to, send, consumed);
    if (IS(REPEATS)) {
        (void)sound_signal_credit(pe, to, send, consumed);
        if (consumed > 1u) (void)sound_signal_credit(pe, to, send, consumed - 1u);
    }
    return status;
}
