/* SPDX-License-Identifier: Apache-2.0 */
/* Calls hand-written kernels with the cases of one file and writes what they leave in `out`.
 *
 * Every array is a block of its own, exactly as large as the case says, so that a sanitizer sees
 * every access beyond; an array that the kernel may only read must not change. A case is the number
 * of its kernel; for each pointer bytes, bytes to leave free in front, whether it is written, and
 * contents; then the numbers. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weft/micro_kernels.h"

enum { MOST_POINTERS = 4, MOST_NUMBERS = 32 };

typedef struct array {
    int32_t bytes, in_front, is_written;
    uint8_t *block, *copy;
} array_t;

/* Generated from the declarations in Python: POINTERS, NUMBERS, OUT and the function call_kernel. */
#include "calls.h"

static void take(FILE *from, void *to, size_t bytes)
{
    if (fread(to, 1, bytes, from) != bytes) exit(3);
}

static uint8_t *allocate(size_t bytes)
{
    uint8_t *const block = malloc(bytes);
    if (block == NULL) exit(4);
    return block;
}

static void take_array(FILE *from, array_t *array)
{
    take(from, &array->bytes, sizeof array->bytes);
    take(from, &array->in_front, sizeof array->in_front);
    take(from, &array->is_written, sizeof array->is_written);
    array->block = allocate((size_t)(array->in_front + array->bytes));
    array->copy = allocate((size_t)array->bytes);
    memset(array->block, 0x5A, (size_t)array->in_front);
    take(from, array->block + array->in_front, (size_t)array->bytes);
    memcpy(array->copy, array->block + array->in_front, (size_t)array->bytes);
}

/* Whether nothing changed that must not. */
static int is_kept(const array_t *array)
{
    for (int32_t i = 0; i < array->in_front; ++i)
        if (array->block[i] != 0x5A) return 0;
    return array->is_written ||
           memcmp(array->block + array->in_front, array->copy, (size_t)array->bytes) == 0;
}

int main(int argc, char **argv)
{
    if (argc != 3) return 2;
    FILE *const from = fopen(argv[1], "rb"), *const to = fopen(argv[2], "wb");
    if (from == NULL || to == NULL) return 2;
    for (int32_t kernel; fread(&kernel, 1, sizeof kernel, from) == sizeof kernel;) {
        array_t arrays[MOST_POINTERS];
        void *pointers[MOST_POINTERS];
        int32_t numbers[MOST_NUMBERS];
        for (int i = 0; i < POINTERS[kernel]; ++i) {
            take_array(from, &arrays[i]);
            pointers[i] = arrays[i].block + arrays[i].in_front;
        }
        take(from, numbers, (size_t)NUMBERS[kernel] * sizeof numbers[0]);
        call_kernel(kernel, pointers, numbers);
        fwrite(pointers[OUT[kernel]], 1, (size_t)arrays[OUT[kernel]].bytes, to);
        for (int i = 0; i < POINTERS[kernel]; ++i) {
            if (!is_kept(&arrays[i])) return 5;
            free(arrays[i].block);
            free(arrays[i].copy);
        }
    }
    fclose(from);
    return fclose(to) == 0 ? 0 : 6;
}
