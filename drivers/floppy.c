/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The first floppy drive, read only, its data by channel 2 of the 8237.
 *
 * What is in the drive is found by trying the data rates that its type allows. The motor is started
 * by the first read and runs until quiet(). Its spin-up is not waited for in advance: a read that
 * fails while the disk is still slow is retried.
 */
#include "drivers/clock.h"
#include "drivers/fdc.h"
#include "drivers/isa_dma.h"
#include "drivers/transfer.h"
#include "lib/errno.h"
#include "lib/inject.h"
#include "lib/x86/cpu.h"
#include "lib/x86/io.h"

#define CMOS_INDEX 0x70u
#define CMOS_DATA 0x71u
#define CMOS_FLOPPY_TYPES 0x10u /* first drive in the upper half */

#define SECTOR_BYTES 512u
#define NR_HEADS 2u
#define MAX_BYTES KIB(128)

#define SPIN_UP_MS 300u
#define READ_ATTEMPTS 4u
#define TRANSFER_COST_MS 15u

/* Drive types as the CMOS has them. */
#define TYPE_360K 1u
#define TYPE_1200K 2u
#define TYPE_720K 3u
#define TYPE_1440K 4u
#define TYPE_2880K 5u
#define TYPE_2880K_ALSO 6u

/* What a medium can be in a drive of each type, the likeliest first. */
struct format {
    uint8_t cmos_type;
    uint8_t cylinders; /* most that it has */
    uint8_t sectors;   /* a track */
    uint8_t rate;      /* enum fdc_rate */
    uint8_t gap;       /* between sectors, as READ DATA wants it */
};

/*
 * A 1.2 MB drive turns at 360 rpm, where media for 300 rpm and 250 kbit/s come at 300 kbit/s;
 * some can be switched to 300 rpm.
 */
static const struct format formats[] = {
    {TYPE_1440K, 80, 18, FDC_RATE_500K, 0x1b},     {TYPE_1440K, 80, 9, FDC_RATE_250K, 0x2a},
    {TYPE_1200K, 80, 15, FDC_RATE_500K, 0x1b},     {TYPE_1200K, 80, 9, FDC_RATE_300K, 0x2a},
    {TYPE_1200K, 80, 9, FDC_RATE_250K, 0x2a},      {TYPE_720K, 80, 9, FDC_RATE_250K, 0x2a},
    {TYPE_360K, 40, 9, FDC_RATE_250K, 0x2a},       {TYPE_2880K, 80, 36, FDC_RATE_1M, 0x1b},
    {TYPE_2880K, 80, 18, FDC_RATE_500K, 0x1b},     {TYPE_2880K, 80, 9, FDC_RATE_250K, 0x2a},
    {TYPE_2880K_ALSO, 80, 36, FDC_RATE_1M, 0x1b},  {TYPE_2880K_ALSO, 80, 18, FDC_RATE_500K, 0x1b},
    {TYPE_2880K_ALSO, 80, 9, FDC_RATE_250K, 0x2a},
};

/* Media of 9 sectors in a drive for 80 cylinders may have 40, at every second place. */
#define NARROW_SECTORS 9u
#define NARROW_CYLINDERS 40u

struct floppy {
    struct device dev;
    struct dma_client client;
    struct fdc fdc;
    const struct format *format;
    unsigned cmos_type;
    uint8_t cylinders;   /* of the medium */
    bool double_step;    /* they are two steps of the drive apart */
    volatile bool works; /* a read is under way, or was when a fault ended it */
};

/* Whoever reads holds channel 2 of the 8237 meanwhile, which serves as the lock. */
static struct floppy the_floppy;

static unsigned cmos_drive_type(void)
{
    uint32_t flags = irq_save();
    unsigned types;

    outb(CMOS_INDEX, CMOS_FLOPPY_TYPES);
    types = inb(CMOS_DATA);
    irq_restore(flags);
    return types >> 4;
}

/* The n-th format of this drive's type, or NULL. */
static const struct format *format_at(const struct floppy *fd, unsigned n)
{
    for (unsigned i = 0; i < ARRAY_SIZE(formats); i++) {
        if (formats[i].cmos_type == fd->cmos_type && n-- == 0)
            return &formats[i];
    }
    return NULL;
}

/* At the medium's data rate, or the likeliest of the drive. */
static int reset(struct floppy *fd)
{
    const struct format *format = fd->format ? fd->format : format_at(fd, 0);

    if (!format)
        return -ENODEV;
    return fdc_reset(&fd->fdc, (enum fdc_rate)format->rate);
}

static int seek(struct floppy *fd, uint8_t cylinder)
{
    return fdc_seek(&fd->fdc, (uint8_t)(fd->double_step ? 2 * cylinder : cylinder));
}

/*
 * Starts the motor and makes sure that there is a disk: the change line goes away only by a step
 * with a disk in the drive. Returns 0, or -ENXIO without one.
 */
static int start_drive(struct floppy *fd)
{
    int err = fd->fdc.held ? reset(fd) : 0;

    if (err)
        return client_error(&fd->client, err, "no answer to reset, MSR 0x%02x", fdc_status());
    if (!fd->fdc.motor_on)
        fdc_set_motor(&fd->fdc, true);
    if (fd->fdc.cylinder < 0) {
        err = fdc_recalibrate(&fd->fdc);
        if (err)
            return client_error(&fd->client, err == -EIO ? -ENXIO : err, "no track 0 found");
    }
    if (fd->cmos_type == TYPE_360K || !fdc_disk_changed())
        return 0;
    err = fdc_seek(&fd->fdc, 1);
    if (!err)
        err = fdc_seek(&fd->fdc, 0);
    if (err)
        return client_error(&fd->client, err == -EIO ? -ENXIO : err, "seek failed");
    if (fdc_disk_changed())
        return client_error(&fd->client, -ENXIO, "no disk in the drive");
    return 0;
}

/* One run of sectors within a track, to a bus address. sector: from 1 on. */
static int read_run_once(struct floppy *fd, uint8_t cylinder, uint8_t head, uint8_t sector,
                         dma_addr_t addr, uint32_t bytes)
{
    const char *refused = isa_dma_refusal(FDC_DMA_CHANNEL, addr, bytes);
    const uint8_t *result = fd->fdc.result;
    const struct fdc_run run = {
        .cylinder = cylinder,
        .head = inject(floppy_other_side, dma_bounce) ? head ^ 1 : head,
        .sector = sector,
        .per_track = fd->format->sectors,
        .gap = fd->format->gap,
    };
    uint32_t left;
    int err;

    if (refused)
        return client_error(&fd->client, -ERANGE, "8237 refuses 0x%llx+%u: %s", addr_number(addr),
                            bytes, refused);
    err = seek(fd, cylinder);
    if (err)
        return client_error(&fd->client, err, "seek to cylinder %u failed", cylinder);
    err = isa_dma_start(FDC_DMA_CHANNEL, addr, bytes, DMA_FROM_DEVICE);
    if (err)
        return client_error(&fd->client, err, "8237 channel %u does not start", FDC_DMA_CHANNEL);
    err = fdc_read_data(&fd->fdc, &run);
    left = isa_dma_stop(FDC_DMA_CHANNEL);
    if (err == -ETIMEDOUT) {
        client_error(&fd->client, err, "READ DATA hangs, MSR 0x%02x", fdc_status());
        fdc_hold(&fd->fdc);
        return err;
    }
    if (err)
        return client_error(&fd->client, err, "C%u H%u S%u: ST0 %02x ST1 %02x ST2 %02x", cylinder,
                            head, sector, result[0], result[1], result[2]);
    if (left)
        return client_error(&fd->client, -EFAULT, "C%u H%u S%u: 8237 has %u of %u bytes left",
                            cylinder, head, sector, left, bytes);
    return 0;
}

static int read_run(struct floppy *fd, uint32_t lba, struct page *page, uint32_t offset,
                    uint32_t bytes)
{
    uint32_t per_track = fd->format->sectors;
    uint8_t cylinder = (uint8_t)(lba / (per_track * NR_HEADS));
    uint8_t head = (uint8_t)(lba / per_track % NR_HEADS);
    uint8_t sector = (uint8_t)(lba % per_track + 1);
    dma_addr_t addr = dma_map_page(&fd->dev, page, offset, bytes, DMA_FROM_DEVICE);
    int err = -EIO;

    if (dma_mapping_error(&fd->dev, addr))
        return client_error(&fd->client, -ENOMEM, "mapping of %u bytes failed", bytes);
    for (unsigned attempt = 0; attempt < READ_ATTEMPTS && err && err != -ERANGE; attempt++) {
        if (attempt > 0) {
            delay_us(SPIN_UP_MS * 1000);
            err = start_drive(fd);
            if (!err)
                err = fdc_recalibrate(&fd->fdc);
            if (err)
                break;
        }
        err = read_run_once(fd, cylinder, head, sector, addr, bytes);
    }
    dma_unmap_page(&fd->dev, addr, bytes, DMA_FROM_DEVICE);
    return err;
}

/* All of the request, a run for each track that it touches. Context: channel 2 is ours. */
static int read_runs(struct floppy *fd, uint32_t lba, struct page *page, uint32_t offset,
                     uint32_t bytes)
{
    int err = start_drive(fd);

    while (!err && bytes > 0) {
        uint32_t track_left = fd->format->sectors - lba % fd->format->sectors;
        uint32_t run = MIN(bytes, track_left * SECTOR_BYTES);

        err = read_run(fd, lba, page, offset, run);
        lba += run / SECTOR_BYTES;
        offset += run;
        bytes -= run;
    }
    return err;
}

static int floppy_read(struct dma_client *client, uint64_t dev_offset, struct page *page,
                       uint32_t offset, uint32_t bytes)
{
    struct floppy *fd = container_of(client, struct floppy, client);
    int err;

    if (bytes == 0 || bytes > client->max_bytes || (dev_offset | bytes) % SECTOR_BYTES ||
        dev_offset > client->size_bytes - bytes)
        return client_error(client, -EINVAL, "%u bytes at %llu are no sectors of this disk", bytes,
                            (unsigned long long)dev_offset);
    err = isa_dma_request(FDC_DMA_CHANNEL, client->name);
    if (err)
        return client_error(client, err, "8237 channel %u is not to be had", FDC_DMA_CHANNEL);
    fd->works = true;
    fdc_begin(&fd->fdc, client->name);
    err = read_runs(fd, (uint32_t)(dev_offset / SECTOR_BYTES), page, offset, bytes);
    fdc_end(&fd->fdc);
    fd->works = false;
    isa_dma_free(FDC_DMA_CHANNEL);
    return err;
}

/* A read that a fault ended still has the drive at work, and the channel. */
static void floppy_quiet(struct dma_client *client)
{
    struct floppy *fd = container_of(client, struct floppy, client);

    if (!fd->works && !fd->fdc.held) {
        fdc_set_motor(&fd->fdc, false);
        return;
    }
    fdc_hold(&fd->fdc);
    if (!fd->works)
        return;
    fdc_end(&fd->fdc);
    isa_dma_stop(FDC_DMA_CHANNEL);
    fd->works = false;
    isa_dma_free(FDC_DMA_CHANNEL);
}

/*
 * Finds the format whose data rate the medium answers to, by READ ID. Formats of one drive type
 * differ in their rate. Returns 0, -EIO, or -ETIMEDOUT if the disk does not turn.
 */
static int find_format(struct floppy *fd)
{
    const struct format *format;
    int err = -EIO;

    for (unsigned attempt = 0; attempt < READ_ATTEMPTS; attempt++) {
        bool all_timed_out = true;

        for (unsigned i = 0; (format = format_at(fd, i)) != NULL; i++) {
            uint8_t cylinder;

            err = fd->fdc.held ? start_drive(fd) : 0;
            if (err)
                return err;
            err = fdc_set_rate(&fd->fdc, (enum fdc_rate)format->rate);
            if (!err)
                err = fdc_read_id(&fd->fdc, &cylinder);
            if (!err) {
                fd->format = format;
                return 0;
            }
            if (err == -ETIMEDOUT)
                fdc_hold(&fd->fdc);
            else
                all_timed_out = false;
        }
        if (all_timed_out)
            break;
        delay_us(SPIN_UP_MS * 1000);
    }
    return err;
}

/*
 * How many cylinders the medium has, and how far apart: at the drive's last even cylinder, 78, is
 * the 78th of 80, or the 39th of 40 that are two steps apart, or nothing. (A drive for 80 never
 * sees 40 that are one step apart, but emulators make such.)
 */
static void find_cylinders(struct floppy *fd)
{
    const uint8_t last_wide = NARROW_CYLINDERS - 1;
    uint8_t cylinder = 0;
    int err;

    fd->cylinders = fd->format->cylinders;
    fd->double_step = false;
    if (fd->cmos_type != TYPE_1200K || fd->format->sectors != NARROW_SECTORS)
        return;
    err = fdc_seek(&fd->fdc, (uint8_t)(2 * last_wide));
    if (!err)
        err = fdc_read_id(&fd->fdc, &cylinder);
    if (err == -ETIMEDOUT)
        fdc_hold(&fd->fdc);
    if (!err && cylinder == 2 * last_wide)
        return;
    fd->cylinders = NARROW_CYLINDERS;
    fd->double_step = !err && cylinder == last_wide;
}

static int probe_medium(struct floppy *fd)
{
    int err = reset(fd);

    if (err)
        return client_error(&fd->client, err, "no answer to reset, MSR 0x%02x", fdc_status());
    err = start_drive(fd);
    if (err)
        return err;
    err = find_format(fd);
    if (err)
        return client_error(&fd->client, err, "no readable disk, ST0 %02x ST1 %02x",
                            fd->fdc.result[0], fd->fdc.result[1]);
    find_cylinders(fd);
    return 0;
}

static int floppy_probe(void)
{
    struct floppy *fd = &the_floppy;
    int err;

    fd->cmos_type = cmos_drive_type();
    if (!fdc_is_present()) {
        probe_report("floppy", -ENODEV, "no controller at port 0x3f0");
        return -ENODEV;
    }
    if (!format_at(fd, 0)) {
        probe_report("floppy", -ENODEV, "controller at port 0x3f0, but %s says the CMOS",
                     fd->cmos_type ? "an unknown drive" : "no drive");
        return -ENODEV;
    }
    fd->fdc.perpendicular = fd->cmos_type == TYPE_2880K || fd->cmos_type == TYPE_2880K_ALSO;
    fd->dev = (struct device){
        .name = "floppy",
        .dma_mask = DMA_BIT_MASK(24),
        .max_segment_bytes = ISA_DMA_BOUNDARY_8BIT + 1,
        .segment_boundary_mask = ISA_DMA_BOUNDARY_8BIT,
    };
    fd->client = (struct dma_client){
        .name = "floppy",
        .dev = &fd->dev,
        .granule_bytes = SECTOR_BYTES,
        .max_bytes = MAX_BYTES,
        .align_bytes = 1,
        .cost_ms = TRANSFER_COST_MS,
        .read = floppy_read,
        .quiet = floppy_quiet,
    };
    fdc_begin(&fd->fdc, "floppy");
    err = probe_medium(fd);
    /* Nothing goes on in it any more, whatever it hung in. */
    if (err)
        (void)reset(fd);
    fdc_end(&fd->fdc);
    floppy_quiet(&fd->client);
    if (err) {
        probe_report("floppy", err, "%s", fd->client.reason);
        return err;
    }
    fd->client.size_bytes = (uint64_t)fd->cylinders * NR_HEADS * fd->format->sectors * SECTOR_BYTES;
    dma_client_register(&fd->client);
    probe_report("floppy", 0, "%u cylinders, %u sectors a track, 8237 channel %u", fd->cylinders,
                 fd->format->sectors, FDC_DMA_CHANNEL);
    return 0;
}

TABLE_ENTRY(isa_driver, struct isa_driver) = {
    .name = "floppy",
    .probe = floppy_probe,
};
