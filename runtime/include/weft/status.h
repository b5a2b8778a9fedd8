/* SPDX-License-Identifier: Apache-2.0 */
/* The one status type. Every runtime call that can fail returns it. */
#ifndef WEFT_STATUS_H
#define WEFT_STATUS_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Values are part of the file formats and of the management protocol: append, never renumber. */
typedef enum weft_status {
    WEFT_OK = 0,          /* done, or work was done */
    WEFT_IDLE = 1,        /* nothing was ready; not a fault */
    WEFT_NO_CREDIT = 2,   /* the slot is still in use by the other side; try again later */
    WEFT_NO_FRAME = 3,    /* no frame has been published; try again later */
    WEFT_E_ARGUMENT = 4,  /* a null pointer or an index out of range */
    WEFT_E_VERSION = 5,   /* tables or program were made for another runtime */
    WEFT_E_TABLES = 6,    /* tables contradict themselves, the program or the storage */
    WEFT_E_STORAGE = 7,   /* storage too small or not aligned */
    WEFT_E_SEQUENCE = 8,  /* publish without acquire, release without observe, no credit */
    WEFT_E_STOPPED = 9,   /* ended from outside: by a supervisor, a test, a fault of the hardware */
    WEFT_PENDING = 10,    /* under way or waiting; not a fault */
    WEFT_E_DEVICE = 11,   /* a device reported a failure */
    WEFT_E_DEADLINE = 12, /* not done in time */
    WEFT_E_CANCELLED = 13 /* taken back before it was done */
} weft_status_t;

/* A constant English name, never null; unknown values give "unknown status". Any context. */
const char *weft_status_string(weft_status_t status);

/* False for what is no fault: work was done, there was none, or it has to wait. Any context. */
static inline bool weft_status_is_error(weft_status_t status)
{
    return status >= WEFT_E_ARGUMENT && status != WEFT_PENDING;
}

/* Leave the calling function with the status of `expression` unless it is WEFT_OK. */
#define WEFT_RETURN_IF_ERROR(expression)        \
    do {                                        \
        weft_status_t status_ = (expression);   \
        if (status_ != WEFT_OK) return status_; \
    } while (0)

#ifdef __cplusplus
}
#endif

#endif /* WEFT_STATUS_H */
