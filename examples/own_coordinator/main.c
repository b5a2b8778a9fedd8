/* SPDX-License-Identifier: Apache-2.0 */
/* The firmware of every PE: an event loop that takes letters, talks to the coordinator about frames
 * and, in between, has a network do one task. */
#include <stdbool.h>

#include "firmware.h"
#include "weft/pe.h"

extern const weft_program_t PROGRAM;

/* Not in .bss: the coordinator writes them before the start. */
volatile boot_t boot __attribute__((section(".data")));
volatile inbox_t inbox __attribute__((section(".data")));

enum { MOST_CHANNELS = 8 };

static weft_pe_t pe;
static bool is_with_coordinator[MOST_CHANNELS]; /* room or frame of a channel */

static weft_status_t start(void)
{
    const weft_pe_config_t config = {
        .program = &PROGRAM,
        .tables = (const weft_tables_t *)(uintptr_t)boot.tables,
        .table_words = boot.table_words,
        .arena = (void *)(uintptr_t)boot.arena,
        .arena_bytes = boot.arena_bytes,
        .constants = (const void *)(uintptr_t)boot.constants,
        .constants_bytes = boot.constants_bytes,
        .state = (uint32_t *)(uintptr_t)boot.state,
        .state_words = boot.state_words,
        .number = boot.number,
        .epoch = boot.epoch,
    };
    WEFT_RETURN_IF_ERROR(weft_pe_init(&pe, &config));
    return pe.tables->channels.count <= MOST_CHANNELS ? WEFT_OK : WEFT_E_STORAGE;
}

static weft_status_t take_letter(const volatile letter_t *letter)
{
    const uint32_t a = letter->operands[0], b = letter->operands[1], c = letter->operands[2];
    switch (letter->kind) {
    case IN_ARRIVAL: return weft_pe_deliver_arrival(&pe, letter->epoch, a, b, c);
    case IN_CREDIT: return weft_pe_deliver_credit(&pe, letter->epoch, a, b);
    case IN_FED:
        if (a >= MOST_CHANNELS) return WEFT_E_ARGUMENT;
        is_with_coordinator[a] = false;
        return weft_pe_channel_publish(&pe, a);
    case IN_TAKEN:
        if (a >= MOST_CHANNELS) return WEFT_E_ARGUMENT;
        is_with_coordinator[a] = false;
        return weft_pe_channel_release(&pe, a);
    default: return WEFT_E_ARGUMENT;
    }
}

static weft_status_t take_letters(void)
{
    while (inbox.taken != inbox.put) {
        const weft_status_t status = take_letter(&inbox.letters[inbox.taken % INBOX_LETTERS]);
        inbox.taken += 1u;
        WEFT_RETURN_IF_ERROR(status);
    }
    return WEFT_OK;
}

static void tell(uint32_t operation, uint32_t channel, const void *where)
{
    NOC->operands[0] = channel;
    NOC->operands[1] = (uint32_t)(uintptr_t)where;
    NOC->operation = operation;
    is_with_coordinator[channel] = true;
}

/* Shows the coordinator rooms to fill and frames to read. */
static void show_channels(void)
{
    for (uint32_t i = 0; i < pe.tables->channels.count; ++i) {
        if (is_with_coordinator[i]) continue;
        void *room = 0;
        const void *frame = 0;
        if (weft_pe_channel_acquire(&pe, i, &room) == WEFT_OK) {
            tell(NOC_ROOM, i, room);
        } else if (weft_pe_channel_observe(&pe, i, &frame) == WEFT_OK) {
            tell(NOC_RESULT, i, frame);
        }
    }
}

int main(void)
{
    weft_status_t status = start();
    while (status == WEFT_OK || status == WEFT_IDLE) {
        const weft_status_t mail = take_letters();
        if (mail != WEFT_OK) return (int)mail;
        show_channels();
        status = weft_pe_step(&pe);
        if (status == WEFT_IDLE) NOC->sleep = 1u;
    }
    return (int)status;
}
