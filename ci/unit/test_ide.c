/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two channels of an IDE controller: they work at the same time, unless either of them says
 * that the controller is simplex. The model is a pair of status registers, and a drive that looks,
 * in the middle of its transfer, whether the other channel's drive can be had.
 */
#include "ci/unit/unit.h"

#define LIB_X86_IO_H
static uint8_t inb(uint16_t port);
static void outb(uint16_t port, uint8_t value);
static void outl(uint16_t port, uint32_t value);

#include "drivers/ide.c"

#define PORT 0xc000u

static struct {
    uint8_t status[IDE_CHANNELS];
    int other_got; /* what the other channel's drive was told meanwhile */
    bool nested;
} model;

static struct pci_device pdev;
static struct ide_channel channels[IDE_CHANNELS];
static struct ide_drive drives[IDE_CHANNELS];

void memcpy_from_page(void *to, struct page *page, size_t offset, size_t len)
{
    fail();
}

static uint8_t inb(uint16_t port)
{
    unsigned channel = (port - PORT) / IDE_BM_CHANNEL_BYTES;

    assert_in_range(channel, 0, IDE_CHANNELS - 1);
    assert_int_equal((port - PORT) % IDE_BM_CHANNEL_BYTES, IDE_BM_STATUS);
    return model.status[channel];
}

static void outb(uint16_t port, uint8_t value)
{
    fail_msg("0x%02x to port 0x%x", value, port);
}

static void outl(uint16_t port, uint32_t value)
{
    fail_msg("0x%x to port 0x%x", value, port);
}

void pci_hold(struct pci_device *dev, uint32_t bits)
{
    dev->holders++;
}

void pci_release(struct pci_device *dev)
{
    dev->holders--;
}

int ata_read_sectors(const struct ata_channel *ata, unsigned unit, uint32_t lba, uint32_t sectors,
                     void *buf)
{
    struct dma_client *other = &drives[ata == &channels[0].ata].disk.client;

    if (model.nested)
        return 0;
    model.nested = true;
    model.other_got = ide_read_pio(other, 0, buf, DISK_SECTOR_BYTES);
    model.nested = false;
    return 0;
}

/* The rest of a transfer, which is other tests' business: it fails at once. */
uint8_t ata_status(const struct ata_channel *ata)
{
    return 0;
}

uint8_t ata_take_status(const struct ata_channel *ata)
{
    return 0;
}

uint8_t ata_error(const struct ata_channel *ata)
{
    return 0;
}

int ata_command(const struct ata_channel *ata, unsigned unit, uint8_t command, uint32_t lba,
                uint32_t sectors)
{
    return -EIO;
}

void ata_end_dma(const struct ata_channel *ata)
{
}

void ata_reset(const struct ata_channel *ata)
{
}

void completion_begin(struct completion *c)
{
}

int completion_wait(struct completion *c, uint32_t limit_ms)
{
    return -ETIMEDOUT;
}

void completion_end(struct completion *c)
{
}

void delay_us(uint32_t us)
{
}

static int try_both(unsigned first, uint8_t status0, uint8_t status1, bool simplex)
{
    uint8_t sector[DISK_SECTOR_BYTES];

    memset(channels, 0, sizeof(channels));
    model.status[0] = status0;
    model.status[1] = status1;
    assert_int_equal(ide_set_bus_master(channels, PORT), simplex);
    for (unsigned i = 0; i < IDE_CHANNELS; i++) {
        assert_int_equal(channels[i].bus_master, PORT + i * IDE_BM_CHANNEL_BYTES);
        channels[i].pdev = &pdev;
        drives[i] = (struct ide_drive){.channel = &channels[i]};
        ide_make_client(&drives[i], 1000);
    }
    assert_int_equal(ide_read_pio(&drives[first].disk.client, 0, sector, sizeof(sector)), 0);
    assert_int_equal(pdev.holders, 0);
    assert_null(channels[0].owner);
    assert_null(channels[1].owner);
    return model.other_got;
}

static void at_once(void **state)
{
    const uint8_t capable = IDE_BM_STATUS_DMA_CAPABLE(0) | IDE_BM_STATUS_DMA_CAPABLE(1);

    assert_int_equal(try_both(0, 0, 0, false), 0);
    assert_int_equal(try_both(1, capable, capable, false), 0);
}

static void simplex(void **state)
{
    for (unsigned first = 0; first < IDE_CHANNELS; first++) {
        assert_int_equal(try_both(first, IDE_BM_STATUS_SIMPLEX, 0, true), -EBUSY);
        assert_int_equal(try_both(first, 0, IDE_BM_STATUS_SIMPLEX, true), -EBUSY);
        assert_int_equal(try_both(first, 0xe0, 0xe0, true), -EBUSY);
    }
    injected = "ide_ignore_simplex";
    assert_int_equal(try_both(0, IDE_BM_STATUS_SIMPLEX, 0, true), 0);
    injected = NULL;
}

/* After a fault: only the drive that was at work gives back what it held. */
static void quieting(void **state)
{
    assert_int_equal(try_both(0, IDE_BM_STATUS_SIMPLEX, 0, true), -EBUSY);
    assert_int_equal(begin(&drives[1], PCI_COMMAND_IO), 0);
    ide_quiet(&drives[0].disk.client);
    assert_int_equal(pdev.holders, 1);
    finish(&drives[1]);
    assert_int_equal(pdev.holders, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_once),
        cmocka_unit_test(simplex),
        cmocka_unit_test(quieting),
    };

    return cmocka_run_group_tests_name("ide", tests, NULL, NULL);
}
