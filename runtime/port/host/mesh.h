/* SPDX-License-Identifier: Apache-2.0 */
/* What weft_pe_config_t.port points to on the host: the other PEs of the mesh. */
#ifndef WEFT_HOST_MESH_H
#define WEFT_HOST_MESH_H

#include <stdint.h>

#include "weft/pe.h"

typedef enum weft_host_signal_kind {
    WEFT_HOST_ARRIVAL = 1, /* slot, producer, frame: weft_pe_deliver_arrival */
    WEFT_HOST_CREDIT = 2   /* send, frames consumed: weft_pe_deliver_credit */
} weft_host_signal_kind_t;

/* What one PE tells another. */
typedef struct weft_host_signal {
    weft_host_signal_kind_t kind;
    uint32_t from, to; /* numbers of PEs */
    uint32_t epoch;
    uint32_t arguments[3];
} weft_host_signal_t;

typedef struct weft_host_mesh {
    weft_pe_t **pes; /* by number */
    uint32_t count;
    void (*wake)(void *context); /* called after every message; may be null */
    void *wake_context;
    /* If not null, it gets every signal instead of the PE, and sees to the delivery. */
    weft_status_t (*post)(void *context, const weft_host_signal_t *signal);
    void *post_context;
    /* If not null, the clock of a PE. Otherwise it is the host's, in microseconds. */
    uint32_t (*clock)(void *context, uint32_t pe);
    void *clock_context;
    uint8_t *dram; /* of all PEs; may be null. Its bytes are nobody's by themselves: who shares them
                    * orders accesses by messages */
    uint32_t dram_bytes;
} weft_host_mesh_t;

#endif /* WEFT_HOST_MESH_H */
