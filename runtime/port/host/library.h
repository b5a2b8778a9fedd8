/* SPDX-License-Identifier: Apache-2.0 */
/* What a compiled host library shows to the process that loads it: one symbol, weft_host_library,
 * through which everything else is found. The loader treats PE contexts as opaque bytes. */
#ifndef WEFT_HOST_LIBRARY_H
#define WEFT_HOST_LIBRARY_H

#include <stddef.h>
#include <stdint.h>

#include "weft/pe_devices.h"

/* Changes whenever a field below does. */
#define WEFT_HOST_LIBRARY_VERSION 7u

typedef struct weft_host_library {
    uint32_t version; /* WEFT_HOST_LIBRARY_VERSION */
    uint32_t program_count;
    const weft_program_t *const *programs;
    size_t pe_bytes; /* sizeof(weft_pe_t) */
    const char *(*runtime_hash)(void);
    const char *(*status_string)(weft_status_t status);
    weft_status_t (*pe_init)(weft_pe_t *pe, const weft_pe_config_t *config);
    weft_status_t (*pe_step)(weft_pe_t *pe);
    weft_status_t (*pe_fail)(weft_pe_t *pe, weft_status_t fault);
    weft_status_t (*pe_where)(const weft_pe_t *pe, weft_where_t *out_where);
    weft_status_t (*pe_waits_for)(const weft_pe_t *pe, uint32_t shard, weft_wait_t *out_wait);
    weft_status_t (*deliver_arrival)(weft_pe_t *pe, uint32_t epoch, uint32_t slot,
                                     uint32_t producer, uint32_t frame);
    weft_status_t (*deliver_credit)(weft_pe_t *pe, uint32_t epoch, uint32_t send,
                                    uint32_t consumed);
    weft_status_t (*channel_acquire)(weft_pe_t *pe, uint32_t channel, void **out_slot);
    weft_status_t (*channel_publish)(weft_pe_t *pe, uint32_t channel);
    weft_status_t (*channel_observe)(weft_pe_t *pe, uint32_t channel, const void **out_slot);
    weft_status_t (*channel_release)(weft_pe_t *pe, uint32_t channel);
    weft_status_t (*devices_init)(const weft_program_t *program, const weft_pe_t *pe, void *storage,
                                  uint32_t storage_bytes, uint32_t deadline_ticks,
                                  weft_pe_devices_t *out_devices);
    weft_status_t (*device_last_error)(const weft_device_t *device, weft_device_error_t *out_error);
    weft_status_t (*device_poll)(weft_device_t *device);
    weft_status_t (*ticket_state)(const weft_ticket_t *ticket);
} weft_host_library_t;

/* Generated code defines it (host.c of a compiled program). */
extern const weft_host_library_t weft_host_library;

/* Initialiser of everything but the programs, so that generated code stays a table. */
#define WEFT_HOST_LIBRARY(programs_, count_) \
    {WEFT_HOST_LIBRARY_VERSION,              \
     (count_),                               \
     (programs_),                            \
     sizeof(weft_pe_t),                      \
     weft_runtime_hash,                      \
     weft_status_string,                     \
     weft_pe_init,                           \
     weft_pe_step,                           \
     weft_pe_fail,                           \
     weft_pe_where,                          \
     weft_pe_waits_for,                      \
     weft_pe_deliver_arrival,                \
     weft_pe_deliver_credit,                 \
     weft_pe_channel_acquire,                \
     weft_pe_channel_publish,                \
     weft_pe_channel_observe,                \
     weft_pe_channel_release,                \
     weft_pe_devices_init,                   \
     weft_device_last_error,                 \
     weft_device_poll,                       \
     weft_ticket_state}

#endif /* WEFT_HOST_LIBRARY_H */
