/* SPDX-License-Identifier: Apache-2.0 */
/* A mesh within one process: PEs are stepped by threads, messages are calls and copies. */
#define _POSIX_C_SOURCE 199309L

#include "weft/port.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "mesh.h"
#include "weft/pe.h"

void weft_port_publish(uint32_t *counter, uint32_t value)
{
    __atomic_store_n(counter, value, __ATOMIC_RELEASE);
}

uint32_t weft_port_observe(const uint32_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_ACQUIRE);
}

void weft_port_add(uint32_t *counter, uint32_t amount)
{
    (void)__atomic_add_fetch(counter, amount, __ATOMIC_ACQ_REL);
}

uint32_t weft_port_clock(const weft_pe_t *pe)
{
    const weft_host_mesh_t *mesh = pe != NULL ? pe->port : NULL;
    if (mesh != NULL && mesh->clock != NULL) return mesh->clock(mesh->clock_context, pe->number);
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint32_t)((uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u);
}

static weft_pe_t *find(const weft_pe_t *pe, uint32_t number)
{
    const weft_host_mesh_t *mesh = pe->port;
    return mesh != NULL && number < mesh->count ? mesh->pes[number] : NULL;
}

/* A PE that was not initialised, or whose tables were refused, has no memory to write to. */
static bool has_room(const weft_pe_t *target, uint32_t offset, uint32_t bytes)
{
    return target != NULL && target->tables != NULL && offset <= target->tables->arena_bytes &&
           bytes <= target->tables->arena_bytes - offset;
}

static void wake(const weft_pe_t *pe)
{
    const weft_host_mesh_t *mesh = pe->port;
    if (mesh->wake != NULL) mesh->wake(mesh->wake_context);
}

weft_status_t weft_port_write(const weft_pe_t *pe, uint32_t to, uint32_t offset, const void *from,
                              uint32_t bytes)
{
    const weft_pe_t *target = find(pe, to);
    if (!has_room(target, offset, bytes)) return WEFT_E_ARGUMENT;
    memcpy(target->arena + offset, from, bytes);
    return WEFT_OK;
}

weft_status_t weft_port_write_box(const weft_pe_t *pe, uint32_t to, const weft_box_t *box)
{
    const weft_pe_t *target = find(pe, to);
    for (uint32_t o = 0; o < box->outer; ++o) {
        for (uint32_t i = 0; i < box->inner; ++i) {
            const uint32_t offset = box->to + o * box->to_outer + i * box->to_inner;
            if (!has_room(target, offset, box->bytes)) return WEFT_E_ARGUMENT;
            memcpy(target->arena + offset, box->from + o * box->from_outer + i * box->from_inner,
                   box->bytes);
        }
    }
    return WEFT_OK;
}

/* Where `bytes` bytes of DRAM are; null if they are not all there. */
static uint8_t *dram_at(const weft_pe_t *pe, uint32_t offset, uint32_t bytes)
{
    const weft_host_mesh_t *mesh = pe->port;
    if (mesh == NULL || mesh->dram == NULL || offset > mesh->dram_bytes ||
        bytes > mesh->dram_bytes - offset) {
        return NULL;
    }
    return mesh->dram + offset;
}

weft_status_t weft_port_dram_read(const weft_pe_t *pe, uint32_t offset, void *to, uint32_t bytes)
{
    const uint8_t *from = dram_at(pe, offset, bytes);
    if (from == NULL) return WEFT_E_ARGUMENT;
    memcpy(to, from, bytes);
    return WEFT_OK;
}

weft_status_t weft_port_dram_write(const weft_pe_t *pe, uint32_t offset, const void *from,
                                   uint32_t bytes)
{
    uint8_t *to = dram_at(pe, offset, bytes);
    if (to == NULL) return WEFT_E_ARGUMENT;
    memcpy(to, from, bytes);
    return WEFT_OK;
}

static weft_status_t post(const weft_pe_t *pe, weft_host_signal_t signal)
{
    const weft_host_mesh_t *mesh = pe->port;
    signal.from = pe->number;
    signal.epoch = pe->epoch;
    return mesh->post(mesh->post_context, &signal);
}

static bool is_posted(const weft_pe_t *pe)
{
    const weft_host_mesh_t *mesh = pe->port;
    return mesh->post != NULL;
}

weft_status_t weft_port_signal_arrival(const weft_pe_t *pe, uint32_t to, uint32_t slot,
                                       uint32_t producer, uint32_t frame)
{
    weft_pe_t *target = find(pe, to);
    if (target == NULL) return WEFT_E_ARGUMENT;
    if (is_posted(pe)) {
        const weft_host_signal_t signal = {
            .kind = WEFT_HOST_ARRIVAL, .to = to, .arguments = {slot, producer, frame}};
        return post(pe, signal);
    }
    const weft_status_t status = weft_pe_deliver_arrival(target, pe->epoch, slot, producer, frame);
    wake(pe);
    return status;
}

weft_status_t weft_port_signal_credit(const weft_pe_t *pe, uint32_t to, uint32_t send,
                                      uint32_t consumed)
{
    weft_pe_t *target = find(pe, to);
    if (target == NULL) return WEFT_E_ARGUMENT;
    if (is_posted(pe)) {
        const weft_host_signal_t signal = {
            .kind = WEFT_HOST_CREDIT, .to = to, .arguments = {send, consumed, 0u}};
        return post(pe, signal);
    }
    const weft_status_t status = weft_pe_deliver_credit(target, pe->epoch, send, consumed);
    wake(pe);
    return status;
}
