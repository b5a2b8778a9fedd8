/* SPDX-License-Identifier: Apache-2.0 */
/* A firmware's DRAM: where the tests' second array lies. */
#include "image.h"

const weft_image_dram_t weft_image_dram = {(uint8_t *)0x30100000u, 256u};
