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

#ifdef WEFT_PE_DEVICES_BYTES
/* Of the port's clock, what a job of a device may take at most: a second or so, unless said
 * otherwise. */
#ifndef WEFT_DEVICE_DEADLINE_TICKS
#define WEFT_DEVICE_DEADLINE_TICKS (UINT32_C(1) << 28)
#endif
static uint64_t storage[(WEFT_PE_DEVICES_BYTES + sizeof(uint64_t) - 1u) / sizeof(uint64_t)];

static weft_status_t add_devices(weft_pe_config_t *config)
{
    weft_pe_devices_t made;
    WEFT_RETURN_IF_ERROR(weft_pe_devices_init(config->program, &weft_image_pe, storage,
                                              sizeof storage, WEFT_DEVICE_DEADLINE_TICKS, &made));
    config->devices = made.devices;
    config->device_count = made.count;
    return WEFT_OK;
}
#else
static weft_status_t add_devices(weft_pe_config_t *config)
{
    (void)config;
    return WEFT_OK;
}
#endif

static weft_status_t initialise(void)
{
    weft_pe_config_t config = {
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
    WEFT_RETURN_IF_ERROR(add_devices(&config));
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
    while (!weft_status_is_error(status)) {
        weft_port_poll(&weft_image_pe);
        status = weft_pe_step(&weft_image_pe);
        stop_after_overflow();
        if (status == WEFT_IDLE) weft_port_wait();
    }
    weft_image_status = (uint32_t)status;
    weft_image_stop();
}
