/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LIB_CRC32C_H
#define LIB_CRC32C_H

/*
 * CRC-32C (Castagnoli), as iSCSI and ext4 use it: RFC 3720, 12.1 and appendix B.4.
 *
 * Start with 0; each result is the final value for all bytes so far, and goes into the next call:
 *     crc = crc32c_update(crc32c_update(0, a, 3), b, 5)    equals that of the 8 bytes at once.
 * Context: any, before paging too.
 */

#include "lib/types.h"

uint32_t crc32c_update(uint32_t crc, const void *data, size_t size);

#endif
