/* SPDX-License-Identifier: Apache-2.0 */
#include "weft/status.h"

const char *weft_status_string(weft_status_t status)
{
    switch (status) {
    case WEFT_OK: return "ok";
    case WEFT_IDLE: return "idle";
    case WEFT_NO_CREDIT: return "no credit";
    case WEFT_NO_FRAME: return "no frame";
    case WEFT_E_ARGUMENT: return "bad argument";
    case WEFT_E_VERSION: return "made for another runtime version";
    case WEFT_E_TABLES: return "malformed tables";
    case WEFT_E_STORAGE: return "storage too small or misaligned";
    case WEFT_E_SEQUENCE: return "channel calls out of sequence";
    case WEFT_E_STOPPED: return "stopped from outside";
    case WEFT_PENDING: return "pending";
    case WEFT_E_DEVICE: return "device failure";
    case WEFT_E_DEADLINE: return "deadline passed";
    case WEFT_E_CANCELLED: return "cancelled";
    }
    return "unknown status";
}
