/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_ATA_IDENTITY_H
#define DRIVERS_ATA_IDENTITY_H

/*
 * What a drive says of itself: the 256 words of IDENTIFY DEVICE (ATA/ATAPI-6, 8.15), whichever way
 * they came.
 */

#include "lib/types.h"

#define ATA_ID_WORDS 256u
/* Sectors of a drive, as far as so many address bits reach */
#define ATA_LBA28_SECTORS BIT(28)
#define ATA_LBA48_SECTORS (UINT64_C(1) << 48)

struct ata_identity {
    char model[41];
    uint32_t sectors;     /* that 28 bits reach */
    uint64_t sectors_all; /* with 48 bits, if the drive has them, else the same */
    bool has_dma, has_lba, has_lba48;
    /*
     * The DMA mode to use, as SET FEATURES takes it (0x4n Ultra, 0x2n multiword): the selected one,
     * or else the best multiword mode that the drive has, which works with a controller's slow
     * default timing as well, for drives that the firmware never set up. 0: there is none.
     */
    uint8_t dma_mode;
    bool dma_mode_is_set; /* dma_mode is the selected one */
};

/* Reads ATA_ID_WORDS words. Pure. */
void ata_take_identity(const uint16_t *words, struct ata_identity *id);

#endif
