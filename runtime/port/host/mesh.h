/* SPDX-License-Identifier: Apache-2.0 */
/* What weft_pe_config_t.port points to on the host: the other PEs of the mesh. */
#ifndef WEFT_HOST_MESH_H
#define WEFT_HOST_MESH_H

#include <stdint.h>

#include "weft/pe.h"

typedef struct weft_host_mesh {
    weft_pe_t **pes; /* by number */
    uint32_t count;
    void (*wake)(void *context); /* called after every message; may be null */
    void *wake_context;
} weft_host_mesh_t;

#endif /* WEFT_HOST_MESH_H */
