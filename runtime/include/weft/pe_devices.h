/* SPDX-License-Identifier: Apache-2.0 */
/* The devices of a PE, as its program wants them: set up in storage of the caller, given jobs by
 * launches, and asked by the executive. Linked only into programs that use devices. */
#ifndef WEFT_PE_DEVICES_H
#define WEFT_PE_DEVICES_H

#include "weft/device.h"
#include "weft/pe.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One device of a program, a constant that the compiler writes. */
typedef struct weft_device_setup {
    const weft_device_driver_t *driver;
    const weft_device_facts_t *facts; /* of this instance; null: the driver's */
    const uint32_t *options;
    uint32_t option_count;
    uint32_t context_bytes;
    uint32_t descriptor_bytes;
    uint32_t job_count;
} weft_device_setup_t;

#define WEFT_STORAGE_ROOM(bytes) \
    (((uint32_t)(bytes) + WEFT_DESCRIPTOR_ALIGNMENT - 1u) & ~(WEFT_DESCRIPTOR_ALIGNMENT - 1u))

/* Bytes of storage that a device takes, a pointer to it included. Constant for constants. */
#define WEFT_DEVICE_STORAGE(context_bytes_, descriptor_bytes_, job_count_)                      \
    (WEFT_STORAGE_ROOM(sizeof(weft_device_t *)) + WEFT_STORAGE_ROOM(sizeof(weft_device_t)) +    \
     WEFT_STORAGE_ROOM(context_bytes_) + WEFT_STORAGE_ROOM((job_count_) * sizeof(weft_job_t)) + \
     (uint32_t)WEFT_DESCRIPTORS_BYTES(descriptor_bytes_, job_count_))

/* Where the devices of a PE are, once they are set up. */
typedef struct weft_pe_devices {
    weft_device_t *const *devices;
    uint32_t count;
} weft_pe_devices_t;

/* Takes the devices of `program` into use and activates them: for good, since a program uses them in
 * every frame. `storage`, program->devices->storage_bytes at least, aligned to
 * WEFT_DESCRIPTOR_ALIGNMENT, is the devices' from now on. `pe` is the context that will have them,
 * for its clock; it need not be initialised. `deadline_ticks` as in weft_device_config_t.
 * Start-up context. WEFT_E_STORAGE, or what weft_device_init and weft_device_activate return. */
weft_status_t weft_pe_devices_init(const weft_program_t *program, const weft_pe_t *pe,
                                   void *storage, uint32_t storage_bytes, uint32_t deadline_ticks,
                                   weft_pe_devices_t *out_devices);

/* --- for generated code and the executive: thread context -------------------------------------- */

/* Room for the descriptor of the next job of a device; null if there is none: then the PE has
 * failed. */
void *weft_pe_descriptor(const weft_pe_t *pe, uint32_t device);

/* Submits the job in that room and keeps its ticket in state word `ticket`. `label` is the job's
 * name in errors. */
void weft_pe_launch(const weft_pe_t *pe, uint32_t label, uint32_t device, uint32_t ticket);

/* As weft_program_devices_t says. */
bool weft_device_tables_are_valid(const weft_tables_t *tables, const weft_program_t *program,
                                  uint32_t first_ticket);
weft_status_t weft_pe_check_devices(const weft_pe_t *pe);
weft_status_t weft_pe_await(const weft_pe_t *pe, uint32_t device, uint32_t ticket);

#ifdef __cplusplus
}
#endif

#endif /* WEFT_PE_DEVICES_H */
