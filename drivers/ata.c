/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/ata.h"
#include "drivers/clock.h"
#include "lib/errno.h"
#include "lib/x86/io.h"

/* Command block registers, as offsets */
#define REG_DATA 0u
#define REG_ERROR 1u
#define REG_FEATURES 1u
#define REG_COUNT 2u
#define REG_LBA_LOW 3u
#define REG_LBA_MID 4u
#define REG_LBA_HIGH 5u
#define REG_DEVICE 6u
#define REG_STATUS 7u
#define REG_COMMAND 7u

#define DEVICE_LBA BIT(6)
#define DEVICE_UNIT(unit) ((unit) << 4)
#define DEVICE_OBSOLETE 0xa0u /* two bits that old drives want set */

/* No drive holds the bus: all lines high, or with D7 pulled down as ATA wants it */
#define STATUS_FLOATING 0xffu
#define STATUS_PULLED_DOWN 0x7fu

#define CONTROL_NIEN BIT(1)
#define CONTROL_SRST BIT(2)

#define PACKET_WORDS (ATA_PACKET_BYTES / 2)
#define PACKET_LIMIT_MS 5000u
#define SENSE_KEY_SHIFT 4 /* in the error register, after a packet that failed */

/* What an ATAPI drive leaves in its registers when it refuses IDENTIFY */
#define ATAPI_MID 0x14u
#define ATAPI_HIGH 0xebu

#define SECTOR_WORDS (ATA_SECTOR_BYTES / 2)

#define READY_LIMIT_MS 200u
#define START_UP_LIMIT_MS 5000u /* a drive that shows BSY after power on or a reset */
#define IDENTIFY_LIMIT_MS 2000u
#define PIO_LIMIT_MS 10000u /* a sleeping disk spins up first */
#define RESET_LIMIT_MS 5000u
#define SRST_HOLD_US 10u
#define SRST_STATUS_US 2000u /* until the status is valid (ATA/ATAPI-6, 9.2) */
#define POLL_US 5u

static uint16_t port(const struct ata_channel *ch, unsigned reg)
{
    return (uint16_t)(ch->command + reg);
}

uint8_t ata_status(const struct ata_channel *ch)
{
    return inb(ch->control);
}

uint8_t ata_take_status(const struct ata_channel *ch)
{
    return inb(port(ch, REG_STATUS));
}

uint8_t ata_error(const struct ata_channel *ch)
{
    return inb(port(ch, REG_ERROR));
}

/* The status is valid 400 ns after a write to the device or command register. */
static void settle(const struct ata_channel *ch)
{
    for (unsigned i = 0; i < 4; i++)
        (void)ata_status(ch);
}

/* Waits until BSY is 0 and the bits in `wanted` are 1, or an error is shown. */
static int wait_status(const struct ata_channel *ch, uint8_t wanted, uint32_t limit_ms)
{
    deadline_t deadline = deadline_in_ms(limit_ms);

    for (;;) {
        uint8_t status = ata_status(ch);

        if (!(status & ATA_STATUS_BSY)) {
            if (status & (ATA_STATUS_ERR | ATA_STATUS_DF))
                return -EIO;
            if ((status & wanted) == wanted)
                return 0;
        }
        if (deadline_passed(deadline))
            return -ETIMEDOUT;
        delay_us(POLL_US);
    }
}

static void select_unit(const struct ata_channel *ch, unsigned unit)
{
    outb(ch->control, CONTROL_NIEN);
    outb(port(ch, REG_DEVICE), (uint8_t)(DEVICE_OBSOLETE | DEVICE_UNIT(unit)));
    settle(ch);
}

/* All commands pass here. Returns 0, or -EPERM for one that might not only read. */
static int start_command(const struct ata_channel *ch, uint8_t command)
{
    if (!ata_command_is_safe(command))
        return -EPERM;
    outb(port(ch, REG_COMMAND), command);
    settle(ch);
    return 0;
}

/* Whether registers are there at all: an absent drive's read as what floats on the bus. */
static bool registers_keep(const struct ata_channel *ch)
{
    static const uint8_t values[] = {0x55, 0xaa};

    for (unsigned i = 0; i < ARRAY_SIZE(values); i++) {
        outb(port(ch, REG_COUNT), values[i]);
        outb(port(ch, REG_LBA_LOW), (uint8_t)~values[i]);
        if (inb(port(ch, REG_COUNT)) != values[i] ||
            inb(port(ch, REG_LBA_LOW)) != (uint8_t)~values[i])
            return false;
    }
    return true;
}

static bool is_floating(const struct ata_channel *ch)
{
    uint8_t status = ata_status(ch);

    return status == STATUS_FLOATING || status == STATUS_PULLED_DOWN;
}

/* Waits until BSY and DRQ are 0. Errors of an earlier command don't matter. */
static int wait_idle(const struct ata_channel *ch, uint32_t limit_ms)
{
    deadline_t deadline = deadline_in_ms(limit_ms);

    while (ata_status(ch) & (ATA_STATUS_BSY | ATA_STATUS_DRQ)) {
        if (deadline_passed(deadline))
            return -ETIMEDOUT;
        delay_us(POLL_US);
    }
    return 0;
}

int ata_identify(struct ata_channel *ch, unsigned unit, struct ata_identity *id)
{
    uint16_t words[ATA_ID_WORDS] = {0};
    uint8_t mid, high;
    int err;

    /* While BSY is 1 no register takes a value, and no drive can be selected. */
    if (is_floating(ch))
        return -ENODEV;
    if (wait_status(ch, 0, START_UP_LIMIT_MS) == -ETIMEDOUT)
        return -EBUSY;
    select_unit(ch, unit);
    if (is_floating(ch))
        return -ENODEV;
    if (wait_status(ch, 0, START_UP_LIMIT_MS) == -ETIMEDOUT)
        return -EBUSY;
    if (!registers_keep(ch))
        return -ENODEV;
    err = start_command(ch, ATA_COMMAND_IDENTIFY);
    if (err)
        return err;
    if (ata_status(ch) == 0)
        return -ENODEV;
    err = wait_status(ch, ATA_STATUS_DRQ, IDENTIFY_LIMIT_MS);
    if (!err) {
        insw(port(ch, REG_DATA), words, ATA_ID_WORDS);
        (void)ata_take_status(ch);
        ata_take_identity(words, id);
        ch->dma_mode[unit] = id->dma_mode_is_set ? id->dma_mode : 0;
        return 0;
    }
    mid = inb(port(ch, REG_LBA_MID));
    high = inb(port(ch, REG_LBA_HIGH));
    (void)ata_take_status(ch);
    return mid == ATAPI_MID && high == ATAPI_HIGH ? -ENOSYS : err;
}

int ata_test_unit_ready(const struct ata_channel *ch, unsigned unit)
{
    uint8_t status;
    int err;

    select_unit(ch, unit);
    err = wait_idle(ch, READY_LIMIT_MS);
    if (err)
        return err;
    outb(port(ch, REG_FEATURES), 0);
    outb(port(ch, REG_LBA_MID), 0);
    outb(port(ch, REG_LBA_HIGH), 0);
    err = start_command(ch, ATA_COMMAND_PACKET);
    if (!err)
        err = wait_status(ch, ATA_STATUS_DRQ, IDENTIFY_LIMIT_MS);
    if (err)
        return err;
    /* TEST UNIT READY is a packet of zeros (SPC-2, 7.25), which nothing else is. */
    for (unsigned i = 0; i < PACKET_WORDS; i++)
        outw(port(ch, REG_DATA), ATA_PACKET_TEST_UNIT_READY);
    settle(ch);
    err = wait_idle(ch, PACKET_LIMIT_MS);
    status = ata_take_status(ch);
    if (err)
        return err;
    return (status & ATA_STATUS_ERR) ? ata_error(ch) >> SENSE_KEY_SHIFT : 0;
}

/* SET FEATURES, set transfer mode. */
static int set_mode(const struct ata_channel *ch, unsigned unit, uint8_t mode)
{
    int err;

    select_unit(ch, unit);
    err = wait_idle(ch, READY_LIMIT_MS);
    if (err)
        return err;
    outb(port(ch, REG_FEATURES), ATA_FEATURE_TRANSFER_MODE);
    outb(port(ch, REG_COUNT), mode);
    err = start_command(ch, ATA_COMMAND_SET_FEATURES);
    if (!err)
        err = wait_idle(ch, IDENTIFY_LIMIT_MS);
    if (ata_take_status(ch) & (ATA_STATUS_ERR | ATA_STATUS_DF) && !err)
        err = -EIO;
    return err;
}

int ata_set_dma_mode(struct ata_channel *ch, unsigned unit, uint8_t mode)
{
    int err = set_mode(ch, unit, mode);

    if (!err)
        ch->dma_mode[unit] = mode;
    return err;
}

int ata_command(const struct ata_channel *ch, unsigned unit, uint8_t command, uint32_t lba,
                uint32_t count)
{
    select_unit(ch, unit);
    /* An error of the command before is no reason not to start this one. */
    if (wait_status(ch, ATA_STATUS_DRDY, READY_LIMIT_MS) == -ETIMEDOUT)
        return -ETIMEDOUT;
    outb(port(ch, REG_COUNT), (uint8_t)count); /* 256 is 0 */
    outb(port(ch, REG_LBA_LOW), (uint8_t)lba);
    outb(port(ch, REG_LBA_MID), (uint8_t)(lba >> 8));
    outb(port(ch, REG_LBA_HIGH), (uint8_t)(lba >> 16));
    outb(port(ch, REG_DEVICE),
         (uint8_t)(DEVICE_OBSOLETE | DEVICE_LBA | DEVICE_UNIT(unit) | lba >> 24));
    settle(ch);
    if (command == ATA_COMMAND_READ_DMA) {
        (void)ata_take_status(ch); /* an old request would look like the new one's end */
        outb(ch->control, ch->silent ? CONTROL_NIEN : 0);
    }
    return start_command(ch, command);
}

void ata_end_dma(const struct ata_channel *ch)
{
    (void)ata_take_status(ch);
    outb(ch->control, CONTROL_NIEN);
}

int ata_read_sectors(const struct ata_channel *ch, unsigned unit, uint32_t lba, uint32_t count,
                     void *to)
{
    uint8_t *sector = to;
    int err = ata_command(ch, unit, ATA_COMMAND_READ_SECTORS, lba, count);

    for (uint32_t i = 0; !err && i < count; i++) {
        err = wait_status(ch, ATA_STATUS_DRQ, PIO_LIMIT_MS);
        if (err)
            break;
        insw(port(ch, REG_DATA), sector, SECTOR_WORDS);
        sector += ATA_SECTOR_BYTES;
        settle(ch);
    }
    (void)ata_take_status(ch);
    return err;
}

void ata_reset(const struct ata_channel *ch)
{
    outb(ch->control, CONTROL_SRST | CONTROL_NIEN);
    delay_us(SRST_HOLD_US);
    outb(ch->control, CONTROL_NIEN);
    delay_us(SRST_STATUS_US);
    if (wait_idle(ch, RESET_LIMIT_MS) < 0)
        return;
    for (unsigned unit = 0; unit < ATA_UNITS; unit++) {
        if (ch->dma_mode[unit])
            set_mode(ch, unit, ch->dma_mode[unit]);
    }
}
