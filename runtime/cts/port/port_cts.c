/* SPDX-License-Identifier: Apache-2.0 */
#include "port_cts.h"

#include <string.h>

#include "port_cts_program.h"
#include "weft/port.h"

volatile weft_port_cts_result_t weft_port_cts_result;

enum { FRAMES = 256, LAST_FRAMES = 264 };
enum { EPOCH = 7, NO_SUCH_PE = 99, ADDS = 16, DISTURBED_CALLS = 2000, HANDED_OVER = 200 };
enum { CLOCK_READINGS = 1000 };
enum { ALONE = 1 };

enum { PHASE_LOCAL, PHASE_SHARED, PHASE_FRAMES, PHASE_MISUSE, PHASE_LAST, PHASE_DONE };

/* --- verdicts ---------------------------------------------------------------------------------- */

static void pass(void)
{
    weft_port_cts_result.run += 1u;
}

static void skip(uint32_t cases)
{
    weft_port_cts_result.skipped += cases;
}

static void fail(weft_port_cts_case_t which, uint32_t line)
{
    weft_port_cts_result.run += 1u;
    weft_port_cts_result.failed += 1u;
    if (weft_port_cts_result.first_failed != 0u) return;
    weft_port_cts_result.first_failed = (uint32_t)which;
    weft_port_cts_result.line = line;
}

/* Goes on with `phase`, or ends after a failure: later cases would only repeat it. */
static void enter(weft_port_cts_t *cts, uint32_t phase)
{
    cts->waited = 0u;
    cts->phase = weft_port_cts_result.failed > 0u ? (uint32_t)PHASE_DONE : phase;
    if (cts->phase != PHASE_DONE) return;
    const bool is_good = weft_port_cts_result.failed == 0u;
    weft_port_cts_result.state = is_good ? WEFT_PORT_CTS_PASSED : WEFT_PORT_CTS_FAILED;
}

static weft_status_t progress(weft_port_cts_t *cts)
{
    cts->waited = 0u;
    return WEFT_OK;
}

static bool has_waited_too_long(weft_port_cts_t *cts)
{
    cts->waited += 1u;
    return cts->waited > WEFT_PORT_CTS_PATIENCE;
}

/* --- one context ------------------------------------------------------------------------------- */

/* The line at which something is wrong, or 0. */
static uint32_t check_publish(void)
{
    static const uint32_t values[] = {1u, 0xFFFFFFFFu, 0u, 0x80000000u, 0x12345678u, 0x00010000u};
    uint32_t words[3] = {0xA5A5A5A5u, 0u, 0x5A5A5A5Au};
    for (uint32_t i = 0; i < sizeof values / sizeof values[0]; ++i) {
        weft_port_publish(&words[1], values[i]);
        if (*(volatile uint32_t *)&words[1] != values[i]) return __LINE__;
        if (weft_port_observe(&words[1]) != values[i]) return __LINE__;
        if (words[0] != 0xA5A5A5A5u || words[2] != 0x5A5A5A5Au) return __LINE__;
        *(volatile uint32_t *)&words[1] = ~values[i]; /* by whatever hand: it is seen */
        if (weft_port_observe(&words[1]) != ~values[i]) return __LINE__;
    }
    return 0u;
}

static uint32_t check_add(void)
{
    static const uint32_t amounts[] = {1u, 0xFFFFFFFFu, 0u - 5u, 7u, 0x80000000u, 0x7FFFFFFFu, 0u};
    uint32_t words[3] = {0xA5A5A5A5u, 0u, 0x5A5A5A5Au};
    uint32_t sum = 0u;
    for (uint32_t i = 0; i < sizeof amounts / sizeof amounts[0]; ++i) {
        weft_port_add(&words[1], amounts[i]);
        sum += amounts[i];
        if (weft_port_observe(&words[1]) != sum) return __LINE__;
        if (words[0] != 0xA5A5A5A5u || words[2] != 0x5A5A5A5Au) return __LINE__;
    }
    return 0u;
}

static uint32_t check_clock(const weft_pe_t *pe)
{
    const uint32_t start = weft_port_clock(pe);
    uint32_t before = start;
    for (uint32_t i = 0; before == start || i < CLOCK_READINGS; ++i) {
        const uint32_t ticks = weft_port_clock(pe);
        if (ticks - before > (uint32_t)INT32_MAX) return __LINE__;
        if (ticks == start && i >= WEFT_PORT_CTS_PATIENCE) return __LINE__;
        before = ticks;
    }
    return 0u;
}

static void judge(weft_port_cts_case_t which, uint32_t line)
{
    if (line != 0u) {
        fail(which, line);
    } else {
        pass();
    }
}

/* --- two contexts ------------------------------------------------------------------------------ */

void weft_port_cts_disturb(weft_port_cts_t *cts)
{
    if (weft_port_observe(&cts->closing) != 0u) {
        weft_port_publish(&cts->closed, 1u);
        return;
    }
    for (uint32_t i = 0; i < ADDS; ++i) weft_port_add(&cts->sum, 5u);
    cts->other_sum += ADDS * 5u;
    const uint32_t announced = weft_port_observe(&cts->announced);
    if (weft_port_observe(&cts->taken) == announced) { /* the words are this side's */
        for (uint32_t i = 0; i < WEFT_PORT_CTS_WORDS; ++i) cts->words[i] = announced + 1u + i;
        weft_port_publish(&cts->announced, announced + 1u);
    }
    weft_port_add(&cts->calls, 1u);
}

/* False if the words are not those that were announced. */
static bool take_words(weft_port_cts_t *cts)
{
    const uint32_t announced = weft_port_observe(&cts->announced);
    if (announced == cts->seen) return true;
    bool is_good = true;
    for (uint32_t i = 0; i < WEFT_PORT_CTS_WORDS; ++i) {
        if (cts->words[i] != announced + i) is_good = false;
    }
    cts->seen = announced;
    weft_port_publish(&cts->taken, announced);
    return is_good;
}

/* Waits for the other context; gives it up if it does not come, or comes no more. */
static weft_status_t wait_for_other(weft_port_cts_t *cts)
{
    if (has_waited_too_long(cts)) {
        skip(2u);
        enter(cts, PHASE_FRAMES);
    }
    return WEFT_IDLE;
}

static weft_status_t step_shared(weft_port_cts_t *cts)
{
    const uint32_t calls = weft_port_observe(&cts->calls);
    if (calls >= DISTURBED_CALLS && cts->seen >= HANDED_OVER) {
        weft_port_publish(&cts->closing, 1u);
        if (weft_port_observe(&cts->closed) == 0u) return wait_for_other(cts);
        const uint32_t sum = weft_port_observe(&cts->sum);
        judge(WEFT_PORT_CTS_ADD_ONE_STEP, sum == cts->own_sum + cts->other_sum ? 0u : __LINE__);
        pass(); /* WEFT_PORT_CTS_DATA_FIRST, which fails below */
        enter(cts, PHASE_FRAMES);
        return WEFT_OK;
    }
    if (calls > 0u) {
        for (uint32_t i = 0; i < ADDS; ++i) weft_port_add(&cts->sum, 3u);
        cts->own_sum += ADDS * 3u;
    }
    const bool is_stuck = calls / 1000u > DISTURBED_CALLS; /* nothing of it is observed */
    if (!take_words(cts) || is_stuck) {
        fail(WEFT_PORT_CTS_DATA_FIRST, __LINE__);
        enter(cts, PHASE_DONE);
        return WEFT_OK;
    }
    if (calls == cts->calls_seen) return wait_for_other(cts);
    cts->calls_seen = calls;
    return progress(cts);
}

/* --- two PEs ----------------------------------------------------------------------------------- */

/* Credit for all frames that were sent has come back. */
static bool has_all_credits(const weft_port_cts_t *cts)
{
    for (uint32_t i = 0; i < cts->pe.tables->sends.count; ++i) {
        const weft_send_row_t *send = weft_tables_send(cts->pe.tables, i);
        if (weft_port_observe(&cts->state[send->state]) != cts->fed) return false;
    }
    return true;
}

static bool feed(weft_port_cts_t *cts)
{
    void *room = NULL;
    if (weft_pe_channel_acquire(&cts->pe, CHANNEL_IN, &room) != WEFT_OK) return false;
    uint8_t *bytes = room;
    for (uint32_t i = 0; i < FRAME_BYTES; ++i) bytes[i] = weft_port_cts_byte(cts->fed, i);
    cts->fed += 1u;
    return weft_pe_channel_publish(&cts->pe, CHANNEL_IN) == WEFT_OK;
}

/* The line at which an answer is wrong, or 0; lines of PE 1 are those of port_cts_program.c. */
static uint32_t check_answer(const uint8_t *answer, uint32_t frame)
{
    const uint32_t line = answer[LINE_AT] | (uint32_t)answer[LINE_AT + 1] << 8;
    for (uint32_t i = 0; i < LINE_AT; ++i) {
        if (answer[i] != weft_port_cts_answer_byte(frame, i)) return __LINE__;
    }
    return line;
}

/* Sends frames up to number `most` and takes the answers. `bytes` is the case for wrong ones. */
static weft_status_t step_frames(weft_port_cts_t *cts, uint32_t most, weft_port_cts_case_t bytes)
{
    const bool is_free =
        cts->fed > SINGLE_FRAMES || (cts->collected == cts->fed && has_all_credits(cts));
    bool has_moved = cts->fed < most && is_free && feed(cts);
    const weft_status_t status = weft_pe_step(&cts->pe);
    if (status != WEFT_OK && status != WEFT_IDLE) {
        fail(WEFT_PORT_CTS_ARRIVALS, __LINE__); /* the port, or who delivered, says why */
        enter(cts, PHASE_DONE);
        return WEFT_OK;
    }
    const void *room = NULL;
    if (weft_pe_channel_observe(&cts->pe, CHANNEL_OUT, &room) == WEFT_OK) {
        const uint32_t line = check_answer(room, cts->collected);
        if (line != 0u) {
            fail((line & IS_CREDIT) != 0u ? WEFT_PORT_CTS_CREDITS : bytes,
                 line & ~(uint32_t)IS_CREDIT);
            enter(cts, PHASE_DONE);
            return WEFT_OK;
        }
        cts->collected += 1u;
        has_moved = weft_pe_channel_release(&cts->pe, CHANNEL_OUT) == WEFT_OK;
    }
    if (has_moved || status == WEFT_OK) return progress(cts);
    if (!has_waited_too_long(cts)) return WEFT_IDLE;
    /* Something got lost. Without an answer for what is there, it was an arrival. */
    const bool is_credit = cts->collected == cts->fed;
    fail(is_credit ? WEFT_PORT_CTS_CREDITS : WEFT_PORT_CTS_ARRIVALS, __LINE__);
    enter(cts, PHASE_DONE);
    return WEFT_OK;
}

static bool are_frames_done(const weft_port_cts_t *cts, uint32_t most)
{
    return cts->collected == most && has_all_credits(cts);
}

/* --- misuse ------------------------------------------------------------------------------------ */

enum { MISUSES = 6 };

static weft_status_t misuse(weft_port_cts_t *cts, weft_port_cts_case_t *out_case)
{
    static const uint8_t bytes[4] = {0u, 0u, 0u, 0u};
    const weft_pe_t *pe = &cts->pe;
    const uint32_t nobody = cts->pes == ALONE ? 1u : (uint32_t)NO_SUCH_PE;
    switch (cts->misuse) {
    case 0:
        *out_case = WEFT_PORT_CTS_NO_PE_WRITE;
        return weft_port_write(pe, nobody, 0u, bytes, 4u);
    case 1:
        *out_case = WEFT_PORT_CTS_NO_PE_ARRIVAL;
        return weft_port_signal_arrival(pe, nobody, 0u, 0u, 0u);
    case 2:
        *out_case = WEFT_PORT_CTS_NO_PE_CREDIT;
        return weft_port_signal_credit(pe, nobody, 0u, 0u);
    default: break;
    }
    *out_case = WEFT_PORT_CTS_BEYOND_ARENA;
    if (cts->misuse == 3u) return weft_port_write(pe, 1u, WEFT_PORT_CTS_ARENA - 2u, bytes, 4u);
    if (cts->misuse == 4u) return weft_port_write(pe, 1u, WEFT_PORT_CTS_ARENA, bytes, 4u);
    return weft_port_write(pe, 1u, 0u - 2u, bytes, 4u);
}

/* A port refuses at once, or has weft_pe_fail say so when it knows. */
static weft_status_t step_misuse(weft_port_cts_t *cts)
{
    weft_port_cts_case_t which = WEFT_PORT_CTS_NO_PE_WRITE;
    if (!cts->is_told) {
        const weft_status_t status = misuse(cts, &which);
        if (status == WEFT_OK) {
            cts->is_told = true;
            return WEFT_OK;
        }
        if (status != WEFT_E_ARGUMENT) fail(which, __LINE__);
    } else {
        static const weft_port_cts_case_t cases[MISUSES] = {
            WEFT_PORT_CTS_NO_PE_WRITE,  WEFT_PORT_CTS_NO_PE_ARRIVAL, WEFT_PORT_CTS_NO_PE_CREDIT,
            WEFT_PORT_CTS_BEYOND_ARENA, WEFT_PORT_CTS_BEYOND_ARENA,  WEFT_PORT_CTS_BEYOND_ARENA};
        const uint32_t told = weft_port_observe(&cts->pe.told_fault);
        which = cases[cts->misuse];
        if (told == (uint32_t)WEFT_OK && !has_waited_too_long(cts)) return WEFT_IDLE;
        if (told != (uint32_t)WEFT_E_ARGUMENT) fail(which, __LINE__);
    }
    /* The context goes on: what it was told was asked for. */
    weft_port_publish(&cts->pe.told_fault, (uint32_t)WEFT_OK);
    cts->is_told = false;
    cts->misuse += 1u;
    if (weft_port_cts_result.failed == 0u && (cts->misuse <= 3u || cts->misuse == MISUSES)) pass();
    if (weft_port_cts_result.failed > 0u) {
        enter(cts, PHASE_DONE);
    } else if (cts->misuse == 3u && cts->pes == ALONE) {
        skip(2u);
        enter(cts, PHASE_DONE);
    } else if (cts->misuse == MISUSES) {
        enter(cts, PHASE_LAST);
    }
    return progress(cts);
}

/* --- the test ---------------------------------------------------------------------------------- */

weft_status_t weft_port_cts_init(weft_port_cts_t *cts, uint32_t number, uint32_t pes, void *port)
{
    if (cts == NULL || pes < 1u || pes > 2u || number >= pes) return WEFT_E_ARGUMENT;
    memset(cts, 0, sizeof *cts);
    memset(cts->arena, UNTOUCHED, sizeof cts->arena);
    memset(cts->guard, GUARDED, sizeof cts->guard);
    /* Frames and wrong lines that PE 1 has seen, at the end of its arena. */
    memset(cts->arena + WEFT_PORT_CTS_ARENA - 32, 0, 32u);
    cts->pes = pes;
    weft_pe_config_t config = {
        .program = &weft_port_cts_program,
        .arena = cts->arena,
        .arena_bytes = sizeof cts->arena,
        .state = cts->state,
        .state_words = WEFT_PORT_CTS_STATE,
        .number = number,
        .epoch = EPOCH,
        .port = port,
    };
    const uint32_t *tables = weft_port_cts_tables(number, &config.table_words);
    config.tables = (const weft_tables_t *)(const void *)tables;
    if (number == 0u) {
        weft_port_cts_result.run = weft_port_cts_result.failed = 0u;
        weft_port_cts_result.skipped = 0u;
        weft_port_cts_result.first_failed = weft_port_cts_result.line = 0u;
    }
    weft_port_cts_result.state = WEFT_PORT_CTS_RUNNING;
    return weft_pe_init(&cts->pe, &config);
}

static void step_local(weft_port_cts_t *cts)
{
    judge(WEFT_PORT_CTS_PUBLISH, check_publish());
    judge(WEFT_PORT_CTS_ADD, check_add());
    judge(WEFT_PORT_CTS_CLOCK, check_clock(&cts->pe));
    enter(cts, PHASE_SHARED);
}

weft_status_t weft_port_cts_step(weft_port_cts_t *cts)
{
    if (cts->pe.number != 0u) return weft_pe_step(&cts->pe);
    switch (cts->phase) {
    case PHASE_LOCAL: step_local(cts); return WEFT_OK;
    case PHASE_SHARED: return step_shared(cts);
    case PHASE_FRAMES:
        if (cts->pes == ALONE) {
            skip(3u);
            enter(cts, PHASE_MISUSE);
            return WEFT_OK;
        }
        if (!are_frames_done(cts, FRAMES)) return step_frames(cts, FRAMES, WEFT_PORT_CTS_BYTES);
        for (uint32_t i = 0; i < 3u; ++i) pass();
        enter(cts, PHASE_MISUSE);
        return WEFT_OK;
    case PHASE_MISUSE: return step_misuse(cts);
    case PHASE_LAST:
        if (!are_frames_done(cts, LAST_FRAMES)) {
            return step_frames(cts, LAST_FRAMES, WEFT_PORT_CTS_AFTER_MISUSE);
        }
        pass();
        enter(cts, PHASE_DONE);
        return WEFT_OK;
    default: return WEFT_IDLE;
    }
}
