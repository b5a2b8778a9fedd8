/* SPDX-License-Identifier: Apache-2.0 */
/* An event loop with a network in it: feeds frames, steps the network, compares every byte of what
 * comes out with what TensorFlow Lite Micro gave. */
#include <string.h>

#include "pes.h"
#include "semihosting.h"
#include "weft/pe.h"

#include FRAMES /* frame_count, INPUT_BYTES, OUTPUT_BYTES, inputs, outputs */

static uint8_t arena[WEFT_PE_ARENA_BYTES] __attribute__((aligned(WEFT_ALIGNMENT)));
static uint32_t state[WEFT_PE_STATE_WORDS];
static weft_pe_t network;

/* A PE's channels are numbered as in manifest.json: this network has one input and one output. */
enum { INPUT = 0, OUTPUT = 1 };

/* With a frame in it, a network on one PE always has something to do. If not, nothing hangs. */
enum { MOST_IDLE_TURNS = 100 };

static weft_status_t start(void)
{
    const weft_pe_config_t config = {
        .program = &WEFT_PE_PROGRAM,
        .tables = (const weft_tables_t *)weft_pe_tables,
        .table_words = WEFT_PE_TABLES_BYTES / sizeof(uint32_t),
        .arena = arena,
        .arena_bytes = sizeof arena,
        .constants = weft_pe_constants,
        .constants_bytes = WEFT_PE_CONSTANTS_BYTES,
        .state = state,
        .state_words = WEFT_PE_STATE_WORDS,
    };
    WEFT_RETURN_IF_ERROR(weft_pe_init(&network, &config));
    const weft_channel_row_t *in = weft_tables_channel(network.tables, INPUT);
    const weft_channel_row_t *out = weft_tables_channel(network.tables, OUTPUT);
    const int is_of_this_model =
        in->rows * in->row_bytes == INPUT_BYTES && out->rows * out->row_bytes == OUTPUT_BYTES;
    return is_of_this_model ? WEFT_OK : WEFT_E_ARGUMENT;
}

/* WEFT_NO_CREDIT while the network has no room for another frame. */
static weft_status_t feed(const uint8_t *frame)
{
    const weft_channel_row_t *row = weft_tables_channel(network.tables, INPUT);
    void *room = NULL;
    WEFT_RETURN_IF_ERROR(weft_pe_channel_acquire(&network, INPUT, &room));
    for (uint32_t i = 0; i < row->rows; ++i) {
        memcpy((uint8_t *)room + i * row->row_stride, frame + i * row->row_bytes, row->row_bytes);
    }
    return weft_pe_channel_publish(&network, INPUT);
}

/* WEFT_NO_FRAME while there is no result. */
static weft_status_t collect(const uint8_t *expected, int *out_is_same)
{
    const weft_channel_row_t *row = weft_tables_channel(network.tables, OUTPUT);
    const void *room = NULL;
    WEFT_RETURN_IF_ERROR(weft_pe_channel_observe(&network, OUTPUT, &room));
    *out_is_same = 1;
    for (uint32_t i = 0; i < row->rows * row->row_bytes; ++i) {
        const uint32_t at = i / row->row_bytes * row->row_stride + i % row->row_bytes;
        if (((const uint8_t *)room)[at] != expected[i]) *out_is_same = 0;
    }
    return weft_pe_channel_release(&network, OUTPUT);
}

static void report(uint32_t same, weft_status_t status)
{
    host_print_number((int)same);
    host_print(" of ");
    host_print_number((int)frame_count);
    host_print(" frames with the bytes of TensorFlow Lite Micro; the network: ");
    host_print(weft_status_string(status));
    host_print("\nruntime ");
    host_print(weft_runtime_hash());
    host_print("\n");
}

int main(void)
{
    weft_status_t status = start();
    uint32_t fed = 0, collected = 0, same = 0, idle = 0;
    while ((status == WEFT_OK || status == WEFT_IDLE) && collected < frame_count &&
           idle < MOST_IDLE_TURNS) {
        /* Other work of the firmware would have its turn here. */
        if (fed < frame_count && feed(inputs[fed]) == WEFT_OK) ++fed;
        status = weft_pe_step(&network); /* one task, no more */
        idle = status == WEFT_IDLE ? idle + 1u : 0u;
        int is_same = 0;
        if (collect(outputs[collected], &is_same) == WEFT_OK) {
            same += (uint32_t)is_same;
            ++collected;
        }
    }
    report(same, status);
    return same == frame_count ? 0 : 1;
}
