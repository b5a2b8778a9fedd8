/* SPDX-License-Identifier: Apache-2.0 */
/* What a compiled host library shows to the process that loads it: one symbol, weft_host_library,
 * through which everything else is found. The loader treats PE contexts as opaque bytes. */
#ifndef WEFT_HOST_LIBRARY_H
#define WEFT_HOST_LIBRARY_H

#include <stddef.h>
#include <stdint.h>

#include "weft/pe.h"

/* Changes whenever a field below does. */
#define WEFT_HOST_LIBRARY_VERSION 1u

/* One program of the library with its tables. */
typedef struct weft_host_program {
    const weft_program_t *program;
    const uint32_t *tables;
    uint32_t table_words;
} weft_host_program_t;

typedef struct weft_host_library {
    uint32_t version; /* WEFT_HOST_LIBRARY_VERSION */
    uint32_t program_count;
    const weft_host_program_t *programs;
    size_t pe_bytes;      /* sizeof(weft_pe_t) */
    size_t channel_bytes; /* sizeof(weft_channel_t) */
    const char *(*runtime_hash)(void);
    const char *(*status_string)(weft_status_t status);
    weft_status_t (*pe_init)(weft_pe_t *pe, const weft_pe_config_t *config);
    weft_status_t (*pe_step)(weft_pe_t *pe);
    weft_status_t (*channel_acquire)(weft_pe_t *pe, uint32_t channel, void **out_slot);
    weft_status_t (*channel_publish)(weft_pe_t *pe, uint32_t channel);
    weft_status_t (*channel_observe)(weft_pe_t *pe, uint32_t channel, const void **out_slot);
    weft_status_t (*channel_release)(weft_pe_t *pe, uint32_t channel);
} weft_host_library_t;

/* Generated code defines it (host.c of a compiled program). */
extern const weft_host_library_t weft_host_library;

/* Initialiser of everything but the programs, so that generated code stays a table. */
#define WEFT_HOST_LIBRARY(programs_, count_) \
    {WEFT_HOST_LIBRARY_VERSION,              \
     (count_),                               \
     (programs_),                            \
     sizeof(weft_pe_t),                      \
     sizeof(weft_channel_t),                 \
     weft_runtime_hash,                      \
     weft_status_string,                     \
     weft_pe_init,                           \
     weft_pe_step,                           \
     weft_pe_channel_acquire,                \
     weft_pe_channel_publish,                \
     weft_pe_channel_observe,                \
     weft_pe_channel_release}

#endif /* WEFT_HOST_LIBRARY_H */
