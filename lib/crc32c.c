/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/crc32c.h"

/* The polynomial 0x1EDC6F41 with its bits reversed: the lowest bit goes first. */
#define POLYNOMIAL UINT32_C(0x82f63b78)

/*
 * The table says what the register becomes when a byte is shifted out of it. That is linear in the
 * byte, so every entry is a XOR of the eight that belong to single bits, each of which is one step
 * of the register away from the next; the compiler computes them all.
 */
#define STEP(r) (((r) >> 1) ^ (((r)&1) ? POLYNOMIAL : 0))
#define BIT7 POLYNOMIAL
#define BIT6 STEP(BIT7)
#define BIT5 STEP(BIT6)
#define BIT4 STEP(BIT5)
#define BIT3 STEP(BIT4)
#define BIT2 STEP(BIT3)
#define BIT1 STEP(BIT2)
#define BIT0 STEP(BIT1)

enum {
    C0 = (int32_t)BIT0,
    C1 = (int32_t)BIT1,
    C2 = (int32_t)BIT2,
    C3 = (int32_t)BIT3,
    C4 = (int32_t)BIT4,
    C5 = (int32_t)BIT5,
    C6 = (int32_t)BIT6,
    C7 = (int32_t)BIT7,
};

#define ENTRIES2(r) (uint32_t)(r), (uint32_t)((r) ^ C0)
#define ENTRIES4(r) ENTRIES2(r), ENTRIES2((r) ^ C1)
#define ENTRIES8(r) ENTRIES4(r), ENTRIES4((r) ^ C2)
#define ENTRIES16(r) ENTRIES8(r), ENTRIES8((r) ^ C3)
#define ENTRIES32(r) ENTRIES16(r), ENTRIES16((r) ^ C4)
#define ENTRIES64(r) ENTRIES32(r), ENTRIES32((r) ^ C5)
#define ENTRIES128(r) ENTRIES64(r), ENTRIES64((r) ^ C6)

static const uint32_t shifted_out[] = {ENTRIES128(0), ENTRIES128(C7)};

uint32_t crc32c_update(uint32_t crc, const void *data, size_t size)
{
    const uint8_t *byte = data;

    crc = ~crc;
    for (; size; size--)
        crc = crc >> 8 ^ shifted_out[(uint8_t)(crc ^ *byte++)];
    return ~crc;
}
