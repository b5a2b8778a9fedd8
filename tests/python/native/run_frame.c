/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a compiled program on frames from a file: what a firmware does, on the host.
 *
 *     run_frame INPUT OUTPUT
 *
 * INPUT holds frames, each with the bytes of all inputs in order; OUTPUT gets the outputs likewise.
 * Tables, arena, constants, state and what devices need are heap blocks of exactly their size, so
 * that a sanitizer sees what leaves them. Build with -DWEFT_PE=0, and pes.S likewise; link
 * weft/pe_devices.h's functions if the program uses devices (-DDEVICES). */
#define _POSIX_C_SOURCE 200112L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pes.h"
#include "weft/pe.h"
#ifdef DEVICES
#include "weft/pe_devices.h"

enum { DEADLINE = 10000000 }; /* of jobs, in microseconds */
#endif

static void fail(const char *what, weft_status_t status)
{
    fprintf(stderr, "%s: %s\n", what, weft_status_string(status));
    exit(1);
}

static void *aligned(size_t size)
{
    void *block = NULL;
    if (posix_memalign(&block, WEFT_ALIGNMENT, size > 0u ? size : 1u) != 0) abort();
    memset(block, 0xA5, size); /* nothing may rely on zeros */
    return block;
}

static void *copy(const void *from, size_t size)
{
    return memcpy(aligned(size), from, size);
}

/* False at the end of the file, which must be between two frames. */
static bool feed(weft_pe_t *pe, uint32_t channel, FILE *input)
{
    const weft_channel_row_t *row = weft_tables_channel(pe->tables, channel);
    void *slot = NULL;
    const weft_status_t status = weft_pe_channel_acquire(pe, channel, &slot);
    if (status != WEFT_OK) fail("acquire", status);
    for (uint32_t i = 0; i < row->rows; ++i) {
        uint8_t *to = (uint8_t *)slot + (size_t)i * row->row_stride;
        if (fread(to, 1u, row->row_bytes, input) == row->row_bytes) continue;
        if (i == 0u && channel == 0u && feof(input)) return false;
        fail("the input ends within a frame", WEFT_E_ARGUMENT);
    }
    return weft_pe_channel_publish(pe, channel) == WEFT_OK;
}

static void fetch(weft_pe_t *pe, uint32_t channel, FILE *output)
{
    const weft_channel_row_t *row = weft_tables_channel(pe->tables, channel);
    const void *slot = NULL;
    const weft_status_t status = weft_pe_channel_observe(pe, channel, &slot);
    if (status != WEFT_OK) fail("observe", status);
    for (uint32_t i = 0; i < row->rows; ++i) {
        const uint8_t *from = (const uint8_t *)slot + (size_t)i * row->row_stride;
        if (fwrite(from, 1u, row->row_bytes, output) != row->row_bytes) abort();
    }
    if (weft_pe_channel_release(pe, channel) != WEFT_OK) fail("release", WEFT_E_SEQUENCE);
}

static bool is_input(const weft_pe_t *pe, uint32_t channel)
{
    return weft_tables_channel(pe->tables, channel)->direction == (uint32_t)WEFT_CHANNEL_IN;
}

static bool run_one_frame(weft_pe_t *pe, FILE *input, FILE *output)
{
    weft_status_t status = WEFT_OK;
    for (uint32_t i = 0; i < pe->tables->channels.count; ++i) {
        if (is_input(pe, i) && !feed(pe, i, input)) return false;
    }
    while (status == WEFT_OK || status == WEFT_PENDING) status = weft_pe_step(pe);
    if (status != WEFT_IDLE) fail("step", status);
    for (uint32_t i = 0; i < pe->tables->channels.count; ++i) {
        if (!is_input(pe, i)) fetch(pe, i, output);
    }
    return true;
}

int main(int argc, char **argv)
{
    weft_pe_t pe;
    weft_tables_t *tables = copy(weft_pe_tables, WEFT_PE_TABLES_BYTES);
    void *constants = copy(weft_pe_constants, WEFT_PE_CONSTANTS_BYTES);
    void *arena = aligned(WEFT_PE_ARENA_BYTES);
    uint32_t *state = aligned(WEFT_PE_STATE_WORDS * sizeof *state);
    FILE *input = argc == 3 ? fopen(argv[1], "rb") : NULL;
    FILE *output = argc == 3 ? fopen(argv[2], "wb") : NULL;
    if (input == NULL || output == NULL) return 2;
    weft_pe_config_t config = {
        .program = &WEFT_PE_PROGRAM,
        .tables = tables,
        .table_words = WEFT_PE_TABLES_BYTES / sizeof(uint32_t),
        .arena = arena,
        .arena_bytes = WEFT_PE_ARENA_BYTES,
        .constants = constants,
        .constants_bytes = WEFT_PE_CONSTANTS_BYTES,
        .state = state,
        .state_words = WEFT_PE_STATE_WORDS,
        .number = WEFT_PE,
    };
#ifdef DEVICES
    const uint32_t bytes = WEFT_PE_PROGRAM.devices->storage_bytes;
    void *storage = aligned(bytes);
    weft_pe_devices_t found;
    const weft_status_t ready =
        weft_pe_devices_init(&WEFT_PE_PROGRAM, &pe, storage, bytes, DEADLINE, &found);
    if (ready != WEFT_OK) fail("devices", ready);
    config.devices = found.devices;
    config.device_count = found.count;
#endif
    const weft_status_t status = weft_pe_init(&pe, &config);
    if (status != WEFT_OK) fail("init", status);
    while (run_one_frame(&pe, input, output)) continue;
    if (fclose(output) != 0) return 1;
    fclose(input);
#ifdef DEVICES
    free(storage);
#endif
    free(state);
    free(arena);
    free(constants);
    free(tables);
    return 0;
}
