/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The first floppy drive as a DMA client, its data by channel 2 of the 8237. It is written to only
 * if the boot option destructive= names fd0.
 */
#include "drivers/floppy.h"
#include "drivers/clock.h"
#include "drivers/destructive.h"
#include "drivers/floppy_drive.h"
#include "drivers/isa_dma.h"
#include "drivers/transfer.h"
#include "lib/errno.h"
#include "lib/inject.h"
#include "lib/string.h"
#include "lib/x86/cpu.h"

#define MEDIUM_NAME "fd0" /* for destructive= */
#define MAX_BYTES KIB(128)
#define TRANSFER_COST_MS 15u

struct floppy {
    struct device dev;
    struct dma_client client;
    struct floppy_drive drive;
    volatile bool works; /* a transfer is under way, or was when a fault ended it */
};

/* Whoever transfers holds channel 2 of the 8237 meanwhile, which serves as the lock. */
static struct floppy the_floppy;

/* Where a sector is, and how far its track goes. */
static struct fdc_run run_at(const struct floppy_drive *drive, uint32_t lba)
{
    uint32_t per_track = drive->format->sectors;
    uint8_t head = (uint8_t)(lba / per_track % FLOPPY_HEADS);

    return (struct fdc_run){
        .cylinder = (uint8_t)(lba / (per_track * FLOPPY_HEADS)),
        .head = inject(floppy_other_side, dma_bounce) ? head ^ 1 : head,
        .sector = (uint8_t)(lba % per_track + 1),
        .last = drive->format->sectors,
        .gap = drive->format->gap,
    };
}

/* Runs a command for which the channel is open, and closes that. *left: what it has not moved. */
static int run_once(struct floppy *fd, const struct fdc_run *run, bool to_disk, uint32_t *left)
{
    const struct fdc *fdc = &fd->drive.fdc;
    int err = fdc_transfer(&fd->drive.fdc, run, to_disk);

    *left = isa_dma_stop(FDC_DMA_CHANNEL);
    if (err == -ETIMEDOUT) {
        client_error(&fd->client, err, "%s DATA: %s, MSR 0x%02x, 8237 has %u bytes left",
                     to_disk ? "WRITE" : "READ",
                     fdc->completion.interrupt_lost ? "done without an interrupt" : "hangs",
                     fdc_status(), *left);
        fdc_hold(&fd->drive.fdc);
        return err;
    }
    if (err == -EROFS)
        return client_error(&fd->client, err, "the disk is write-protected, ST1 %02x",
                            fdc->result[1]);
    if (err)
        client_error(&fd->client, err, "C%u H%u S%u: ST0 %02x ST1 %02x ST2 %02x, %u bytes left",
                     run->cylinder, run->head, run->sector, fdc->result[0], fdc->result[1],
                     fdc->result[2], *left);
    return err;
}

/* One run of sectors within a track, between the disk and a bus address. */
static int move_run_once(struct floppy *fd, uint32_t lba, dma_addr_t addr, uint32_t bytes,
                         enum dma_data_direction dir)
{
    const char *refused = isa_dma_refusal(FDC_DMA_CHANNEL, addr, bytes);
    bool to_disk = dir == DMA_TO_DEVICE;
    bool shifted = to_disk && inject(floppy_write_shifted, media_write);
    const struct fdc_run run = run_at(&fd->drive, lba ^ shifted);
    uint32_t left;
    int err;

    if (refused)
        return client_error(&fd->client, -ERANGE, "8237 refuses 0x%llx+%u: %s", addr_number(addr),
                            bytes, refused);
    err = floppy_drive_seek(&fd->drive, run.cylinder);
    if (err)
        return err;
    if (to_disk)
        floppy_drive_await_speed(&fd->drive);
    err = isa_dma_start(FDC_DMA_CHANNEL, addr, bytes, dir);
    if (err)
        return client_error(&fd->client, err, "8237 channel %u does not start", FDC_DMA_CHANNEL);
    err = run_once(fd, &run, to_disk, &left);
    if (!err)
        err = client_judge_residue(&fd->client, left, bytes);
    /* The controller did not hear that the 8237 was done. */
    return err == -ENOSPC ? -EPROTO : err;
}

/* Whether it is worth to do it once more: not where the medium or the channel said a clear no. */
static bool may_try_again(int err)
{
    return err && err != -ERANGE && err != -EROFS && err != -ENXIO;
}

static int move_run(struct floppy *fd, uint32_t lba, struct page *page, uint32_t offset,
                    uint32_t bytes, enum dma_data_direction dir)
{
    dma_addr_t addr = dma_map_page(&fd->dev, page, offset, bytes, dir);
    int err = -EIO;

    if (dma_mapping_error(&fd->dev, addr))
        return client_error(&fd->client, -ENOMEM, "mapping of %u bytes failed", bytes);
    for (unsigned attempt = 0; attempt < FLOPPY_ATTEMPTS && may_try_again(err); attempt++) {
        if (attempt > 0) {
            delay_us(FLOPPY_SPIN_UP_MS * 1000);
            err = floppy_drive_start(&fd->drive);
            if (!err)
                err = fdc_recalibrate(&fd->drive.fdc);
            if (err)
                break;
        }
        err = move_run_once(fd, lba, addr, bytes, dir);
    }
    dma_unmap_page_attrs(&fd->dev, addr, bytes, dir, err ? DMA_ATTR_SKIP_CPU_SYNC : 0);
    return err;
}

/* All of the request, a run for each track that it touches. Context: channel 2 is ours. */
static int move_runs(struct floppy *fd, uint32_t lba, struct page *page, uint32_t offset,
                     uint32_t bytes, enum dma_data_direction dir)
{
    int err = floppy_drive_start(&fd->drive);

    while (!err && bytes > 0) {
        uint32_t per_track = fd->drive.format->sectors;
        uint32_t run = MIN(bytes, (per_track - lba % per_track) * FLOPPY_SECTOR_BYTES);

        err = move_run(fd, lba, page, offset, run, dir);
        lba += run / FLOPPY_SECTOR_BYTES;
        offset += run;
        bytes -= run;
    }
    return err;
}

/* Takes channel and interrupt for a transfer, and gives them back. */
static int begin(struct floppy *fd)
{
    int err = isa_dma_request(FDC_DMA_CHANNEL, fd->client.name);

    if (err)
        return client_error(&fd->client, err, "8237 channel %u is not to be had", FDC_DMA_CHANNEL);
    fd->works = true;
    fdc_begin(&fd->drive.fdc, fd->client.name);
    return 0;
}

static void end(struct floppy *fd)
{
    fdc_end(&fd->drive.fdc);
    fd->works = false;
    isa_dma_free(FDC_DMA_CHANNEL);
}

static int move(struct dma_client *client, uint64_t dev_offset, struct page *page, uint32_t offset,
                uint32_t bytes, enum dma_data_direction dir)
{
    struct floppy *fd = container_of(client, struct floppy, client);
    int err;

    if (bytes == 0 || bytes > client->max_bytes || (dev_offset | bytes) % FLOPPY_SECTOR_BYTES ||
        bytes > client->size_bytes || dev_offset > client->size_bytes - bytes)
        return client_error(client, -EINVAL, "%u bytes at %llu are no sectors of this disk", bytes,
                            (unsigned long long)dev_offset);
    err = begin(fd);
    if (err)
        return err;
    err = move_runs(fd, (uint32_t)(dev_offset / FLOPPY_SECTOR_BYTES), page, offset, bytes, dir);
    end(fd);
    return err;
}

static int floppy_read(struct dma_client *client, uint64_t dev_offset, struct page *page,
                       uint32_t offset, uint32_t bytes)
{
    return move(client, dev_offset, page, offset, bytes, DMA_FROM_DEVICE);
}

static int floppy_write(struct dma_client *client, uint64_t dev_offset, struct page *page,
                        uint32_t offset, uint32_t bytes)
{
    return move(client, dev_offset, page, offset, bytes, DMA_TO_DEVICE);
}

static int read_raw(struct floppy *fd, struct floppy_raw *raw)
{
    struct fdc_run run = run_at(&fd->drive, raw->lba);
    int err = floppy_drive_start(&fd->drive);

    if (!err)
        err = floppy_drive_seek(&fd->drive, run.cylinder);
    if (err)
        return err;
    run.last = (uint8_t)(run.sector + raw->sectors - 1);
    if (raw->flags & FLOPPY_RAW_KEEP)
        isa_dma_resume(FDC_DMA_CHANNEL);
    else
        err = isa_dma_start_unchecked(FDC_DMA_CHANNEL, raw->addr, raw->bytes, DMA_FROM_DEVICE,
                                      raw->flags);
    if (err)
        return client_error(&fd->client, err, "8237 channel %u does not start", FDC_DMA_CHANNEL);
    err = run_once(fd, &run, false, &raw->left);
    raw->reached_tc = isa_dma_took_tc(FDC_DMA_CHANNEL);
    return err;
}

int floppy_read_raw(struct floppy_raw *raw, const char **reason)
{
    struct floppy *fd = &the_floppy;
    int err;

    *reason = fd->client.size_bytes ? fd->client.reason : "no floppy drive with a readable disk";
    if (!fd->client.size_bytes || fd->client.quarantined)
        return -ENODEV;
    err = begin(fd);
    if (err)
        return err;
    err = read_raw(fd, raw);
    end(fd);
    return err;
}

/* A transfer that a fault ended still has the drive at work, and the channel. */
static void floppy_quiet(struct dma_client *client)
{
    struct floppy *fd = container_of(client, struct floppy, client);
    struct fdc *fdc = &fd->drive.fdc;

    if (!fd->works && !fdc->held) {
        fdc_set_motor(fdc, false);
        return;
    }
    fdc_hold(fdc);
    if (!fd->works)
        return;
    completion_end(&fdc->completion);
    fdc_end(fdc);
    isa_dma_stop(FDC_DMA_CHANNEL);
    fd->works = false;
    isa_dma_free(FDC_DMA_CHANNEL);
}

static int probe_medium(struct floppy *fd)
{
    int err;

    fdc_begin(&fd->drive.fdc, "floppy");
    err = floppy_drive_find_medium(&fd->drive);
    if (err) {
        char reason[DMA_CLIENT_REASON_BYTES];

        /* Nothing goes on in it any more, whatever it hung in. */
        memcpy(reason, fd->client.reason, sizeof(reason));
        (void)floppy_drive_reset(&fd->drive);
        memcpy(fd->client.reason, reason, sizeof(reason));
    }
    fdc_end(&fd->drive.fdc);
    floppy_quiet(&fd->client);
    return err;
}

static const char *allow_writes(struct floppy *fd)
{
    if (!destructive_allows(MEDIUM_NAME))
        return "";
    if (fd->drive.write_protected)
        return ", write-protected: not written to";
    fd->client.write = floppy_write;
    return ", may be written to";
}

static int floppy_probe(void)
{
    struct floppy *fd = &the_floppy;
    struct floppy_drive *drive = &fd->drive;
    const char *writes;
    int err;

    if (!isa_dma_is_present()) {
        probe_report("floppy", -ENODEV, "not looked for without an 8237");
        return -ENODEV;
    }
    if (!fdc_is_present()) {
        probe_report("floppy", -ENODEV, "no controller at port 0x3f0");
        return -ENODEV;
    }
    drive->client = &fd->client;
    if (floppy_drive_find(drive)) {
        probe_report("floppy", -ENODEV, "controller at port 0x3f0, but %s says the CMOS",
                     drive->cmos_type ? "an unknown drive" : "no drive");
        return -ENODEV;
    }
    fd->dev = (struct device){
        .name = "floppy",
        .dma_mask = DMA_BIT_MASK(24),
        .max_segment_bytes = ISA_DMA_BOUNDARY_8BIT + 1,
        .segment_boundary_mask = ISA_DMA_BOUNDARY_8BIT,
    };
    fd->client = (struct dma_client){
        .name = "floppy",
        .dev = &fd->dev,
        .granule_bytes = FLOPPY_SECTOR_BYTES,
        .max_bytes = MAX_BYTES,
        .align_bytes = 1,
        .cost_ms = TRANSFER_COST_MS,
        .read = floppy_read,
        .completion = &drive->fdc.completion,
        .quiet = floppy_quiet,
    };
    err = probe_medium(fd);
    writes = allow_writes(fd);
    if (err) {
        probe_report("floppy", err, "%s", fd->client.reason);
        return err;
    }
    drive->fdc.completion.by_interrupt = true;
    fd->client.size_bytes =
        (uint64_t)drive->cylinders * FLOPPY_HEADS * drive->format->sectors * FLOPPY_SECTOR_BYTES;
    dma_client_register(&fd->client);
    probe_report("floppy", 0, "%u cylinders, %u sectors a track, 8237 channel %u%s",
                 drive->cylinders, drive->format->sectors, FDC_DMA_CHANNEL, writes);
    return 0;
}

TABLE_ENTRY(isa_driver, struct isa_driver) = {
    .name = "floppy",
    .probe = floppy_probe,
};
