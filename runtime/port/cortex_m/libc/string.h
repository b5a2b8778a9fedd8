/* SPDX-License-Identifier: Apache-2.0 */
/* Stands in for <string.h> where a freestanding toolchain has none: what the runtime and the
 * kernels may use of it. port/cortex_m/string.c defines them. */
#ifndef WEFT_LIBC_STRING_H
#define WEFT_LIBC_STRING_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t bytes);
void *memmove(void *to, const void *from, size_t bytes);
void *memset(void *to, int value, size_t bytes);

#endif /* WEFT_LIBC_STRING_H */
