/* SPDX-License-Identifier: Apache-2.0 */
/* An image: one program, the data and storage of PE number WEFT_PE (pes.h of the compiled program),
 * and the loop that steps it. */
#include <stddef.h>

#include "image.h"
#include "pes.h"

/* C has no arrays of length 0. */
#define AT_LEAST_ONE(count) ((count) > 0u ? (count) : 1u)

/* In a section of its own, so that it can be placed, and counted apart from other variables. */
uint8_t weft_image_arena[AT_LEAST_ONE(WEFT_PE_ARENA_BYTES)]
    __attribute__((aligned(16), section(".bss.weft_arena")));

uint32_t weft_image_state[AT_LEAST_ONE(WEFT_PE_STATE_WORDS)];
weft_pe_t weft_image_pe;
weft_mail_t weft_image_mail;
volatile uint32_t weft_image_status;
const char *volatile weft_image_runtime_hash;

static weft_status_t initialise(void)
{
    const weft_pe_config_t config = {
        .program = &WEFT_PE_PROGRAM,
        .tables = (const weft_tables_t *)weft_pe_tables,
        .table_words = WEFT_PE_TABLES_BYTES / sizeof(uint32_t),
        .arena = weft_image_arena,
        .arena_bytes = WEFT_PE_ARENA_BYTES,
        .constants = weft_pe_constants,
        .constants_bytes = WEFT_PE_CONSTANTS_BYTES,
        .state = weft_image_state,
        .state_words = WEFT_PE_STATE_WORDS,
        .number = WEFT_PE,
        .epoch = weft_image_epoch,
        .port = &weft_image_mail,
    };
    weft_image_mail.pe = &weft_image_pe;
    weft_image_runtime_hash = weft_runtime_hash();
    return weft_pe_init(&weft_image_pe, &config);
}

/* For cores whose memory protection unit did not see it, or that have none. */
static void stop_after_overflow(void)
{
    const volatile uint32_t *word = weft_image_overwritten();
    if (word == NULL) return;
    weft_fault_record.address = (uint32_t)(uintptr_t)word;
    weft_fault_record.kind = WEFT_FAULT_STACK;
    weft_image_stop();
}

void weft_image_main(void)
{
    weft_status_t status = initialise();
    while (status == WEFT_OK || status == WEFT_IDLE) {
        weft_port_poll(&weft_image_pe);
        status = weft_pe_step(&weft_image_pe);
        stop_after_overflow();
        if (status == WEFT_IDLE) weft_port_wait();
    }
    weft_image_status = (uint32_t)status;
    weft_image_stop();
}
