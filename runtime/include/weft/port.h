/* SPDX-License-Identifier: Apache-2.0 */
/* What the runtime asks of the machine below it. One folder under port/ implements it.
 *
 * Data written before a publish must be visible to whoever observes the published value. */
#ifndef WEFT_PORT_H
#define WEFT_PORT_H

#include <stdint.h>

/* Store `value` with release semantics. Any context. */
void weft_port_publish(uint32_t *counter, uint32_t value);

/* Load with acquire semantics. Any context. */
uint32_t weft_port_observe(const uint32_t *counter);

#endif /* WEFT_PORT_H */
