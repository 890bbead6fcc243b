/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_ATA_COMMANDS_H
#define DRIVERS_ATA_COMMANDS_H

/*
 * The commands that a drive may be sent (ATA/ATAPI-6, chapter 8): those that read, and nothing
 * else. The disks are somebody else's. Both drivers of disks ask here before they send a command
 * byte, so that no mistake above them, and no bit that memory lost, becomes a write.
 */

#include "lib/types.h"

enum ata_command {
    ATA_COMMAND_READ_SECTORS = 0x20,
    ATA_COMMAND_READ_SECTORS_EXT = 0x24,
    ATA_COMMAND_READ_DMA_EXT = 0x25,
    ATA_COMMAND_PACKET = 0xa0, /* with TEST UNIT READY only */
    ATA_COMMAND_READ_DMA = 0xc8,
    ATA_COMMAND_IDENTIFY = 0xec,
    ATA_COMMAND_SET_FEATURES = 0xef, /* with ATA_FEATURE_TRANSFER_MODE only */
};

#define ATA_FEATURE_TRANSFER_MODE 0x03u

/* A packet of SCSI's: TEST UNIT READY, which is all zeros, and the sense keys that it may give. */
#define ATA_PACKET_BYTES 12u
#define ATA_PACKET_TEST_UNIT_READY 0u
#define ATA_SENSE_NOT_READY 2
#define ATA_SENSE_UNIT_ATTENTION 6 /* once after each reset: ask again */

/* True if the command only reads. Pure. */
static inline bool ata_command_is_safe(uint8_t command)
{
    static const uint8_t safe[] = {
        ATA_COMMAND_READ_SECTORS, ATA_COMMAND_READ_SECTORS_EXT, ATA_COMMAND_READ_DMA_EXT,
        ATA_COMMAND_PACKET,       ATA_COMMAND_READ_DMA,         ATA_COMMAND_IDENTIFY,
        ATA_COMMAND_SET_FEATURES,
    };

    for (unsigned i = 0; i < ARRAY_SIZE(safe); i++) {
        if (safe[i] == command)
            return true;
    }
    return false;
}

#endif
