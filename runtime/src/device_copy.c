/* SPDX-License-Identifier: Apache-2.0 */
#include "weft/copy.h"

static bool reaches(const weft_device_facts_t *facts, uint32_t space)
{
    return space <= (uint32_t)WEFT_SPACE_DRAM && (facts->spaces >> space & 1u) != 0u;
}

weft_status_t weft_device_copy(weft_device_t *device, const weft_copy_t *copy,
                               const weft_ticket_t *dependencies, uint32_t dependency_count,
                               uint32_t deadline_ticks, uint32_t label, weft_ticket_t *out_ticket)
{
    const weft_device_facts_t *facts = weft_device_facts(device);
    if (facts == NULL || copy == NULL || !facts->takes_copies ||
        !reaches(facts, copy->from_space) || !reaches(facts, copy->to_space)) {
        return WEFT_E_ARGUMENT;
    }
    void *descriptor = NULL;
    WEFT_RETURN_IF_ERROR(weft_device_reserve(device, &descriptor));
    *(weft_copy_t *)descriptor = *copy;
    return weft_device_submit(device, dependencies, dependency_count, deadline_ticks, label,
                              out_ticket);
}
