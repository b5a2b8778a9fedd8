/* SPDX-License-Identifier: Apache-2.0 */
/* One PE in this process, without kernels: its executive is the runtime, and its messages go to
 * functions of whoever has loaded the library. */
#include <string.h>

#include "mail.h"
#include "weft/port.h"

typedef struct host_pe_port {
    void (*write)(uint32_t to, uint32_t offset, const void *from, uint32_t bytes);
    void (*signal)(uint32_t kind, uint32_t to, uint32_t epoch, uint32_t a, uint32_t b, uint32_t c);
} host_pe_port_t;

static const weft_kernel_t no_kernels[1];

const weft_program_t host_pe_program = {"host", no_kernels, 0u, WEFT_TABLES_VERSION};
const uint32_t host_pe_bytes = sizeof(weft_pe_t);

void weft_port_publish(uint32_t *counter, uint32_t value)
{
    *counter = value;
}

uint32_t weft_port_observe(const uint32_t *counter)
{
    return *counter;
}

void weft_port_add(uint32_t *counter, uint32_t amount)
{
    *counter += amount;
}

static const host_pe_port_t *port_of(const weft_pe_t *pe)
{
    return pe->port;
}

weft_status_t weft_port_write(const weft_pe_t *pe, uint32_t to, uint32_t offset, const void *from,
                              uint32_t bytes)
{
    port_of(pe)->write(to, offset, from, bytes);
    return WEFT_OK;
}

weft_status_t weft_port_signal_arrival(const weft_pe_t *pe, uint32_t to, uint32_t slot,
                                       uint32_t producer, uint32_t frame)
{
    port_of(pe)->signal(WEFT_MESSAGE_ARRIVAL, to, pe->epoch, slot, producer, frame);
    return WEFT_OK;
}

weft_status_t weft_port_signal_credit(const weft_pe_t *pe, uint32_t to, uint32_t send,
                                      uint32_t consumed)
{
    port_of(pe)->signal(WEFT_MESSAGE_CREDIT, to, pe->epoch, send, consumed, 0u);
    return WEFT_OK;
}
