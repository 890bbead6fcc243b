/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/floppy_drive.h"
#include "lib/errno.h"
#include "lib/x86/cpu.h"
#include "lib/x86/io.h"
#include "paging/wait.h"

#define CMOS_INDEX 0x70u
#define CMOS_DATA 0x71u
#define CMOS_FLOPPY_TYPES 0x10u /* first drive in the upper half */

/* Drive types as the CMOS has them. */
#define TYPE_360K 1u
#define TYPE_1200K 2u
#define TYPE_720K 3u
#define TYPE_1440K 4u
#define TYPE_2880K 5u
#define TYPE_2880K_ALSO 6u

/*
 * What a medium can be in a drive of each type, the likeliest first. A 1.2 MB drive turns at 360
 * rpm, where media for 300 rpm and 250 kbit/s come at 300 kbit/s; some can be switched to 300 rpm.
 */
static const struct floppy_format formats[] = {
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

/* The n-th format of this drive's type, or NULL. */
static const struct floppy_format *format_at(const struct floppy_drive *drive, unsigned n)
{
    for (unsigned i = 0; i < ARRAY_SIZE(formats); i++) {
        if (formats[i].cmos_type == drive->cmos_type && n-- == 0)
            return &formats[i];
    }
    return NULL;
}

int floppy_drive_find(struct floppy_drive *drive)
{
    uint32_t flags = irq_save();
    unsigned types;

    outb(CMOS_INDEX, CMOS_FLOPPY_TYPES);
    types = inb(CMOS_DATA);
    irq_restore(flags);
    drive->cmos_type = types >> 4;
    drive->fdc.perpendicular =
        drive->cmos_type == TYPE_2880K || drive->cmos_type == TYPE_2880K_ALSO;
    return format_at(drive, 0) ? 0 : -ENODEV;
}

int floppy_drive_reset(struct floppy_drive *drive)
{
    const struct floppy_format *format = drive->format ? drive->format : format_at(drive, 0);
    int err = -ENODEV;

    if (format)
        err = fdc_reset(&drive->fdc, (enum fdc_rate)format->rate);
    if (err)
        return client_error(drive->client, err, "no answer to reset, MSR 0x%02x", fdc_status());
    return 0;
}

void floppy_drive_await_speed(const struct floppy_drive *drive)
{
    wait_begins();
    while (!deadline_passed(drive->at_speed))
        wait_yield();
    wait_ends();
}

int floppy_drive_seek(struct floppy_drive *drive, uint8_t cylinder)
{
    int err = fdc_seek(&drive->fdc, (uint8_t)(drive->double_step ? 2 * cylinder : cylinder));

    if (err)
        return client_error(drive->client, err, "seek to cylinder %u failed, ST0 %02x", cylinder,
                            drive->fdc.st0);
    return 0;
}

/* The change line goes away only by a step with a disk in the drive. */
static int look_for_disk(struct floppy_drive *drive)
{
    int err = fdc_seek(&drive->fdc, 1);

    if (!err)
        err = fdc_seek(&drive->fdc, 0);
    if (err)
        return client_error(drive->client, err == -EIO ? -ENXIO : err, "seek failed, ST0 %02x",
                            drive->fdc.st0);
    if (fdc_disk_changed())
        return client_error(drive->client, -ENXIO, "no disk in the drive");
    return 0;
}

int floppy_drive_start(struct floppy_drive *drive)
{
    bool has_change_line = drive->cmos_type != TYPE_360K;
    int err = drive->fdc.held ? floppy_drive_reset(drive) : 0;

    if (err)
        return err;
    if (!drive->fdc.motor_on) {
        fdc_set_motor(&drive->fdc, true);
        drive->at_speed = deadline_in_ms(FLOPPY_SPIN_UP_MS);
    }
    /* Before any step, which makes the drive forget. */
    if (has_change_line && drive->format && fdc_disk_changed())
        drive->changed = true;
    if (drive->fdc.cylinder < 0) {
        err = fdc_recalibrate(&drive->fdc);
        if (err)
            return client_error(drive->client, err == -EIO ? -ENXIO : err,
                                "no track 0 found, ST0 %02x", drive->fdc.st0);
    }
    if (has_change_line && fdc_disk_changed()) {
        err = look_for_disk(drive);
        if (err)
            return err;
    }
    if (drive->changed)
        return client_error(drive->client, -ENXIO, "the disk was changed, left alone from now on");
    return 0;
}

/*
 * Finds the format whose data rate the medium answers to, by READ ID. Formats of one drive type
 * differ in their rate. Returns 0, -EIO, or -ETIMEDOUT if the disk does not turn.
 */
static int find_format(struct floppy_drive *drive)
{
    const struct floppy_format *format;
    int err = -EIO;

    for (unsigned attempt = 0; attempt < FLOPPY_ATTEMPTS; attempt++) {
        bool all_timed_out = true;

        for (unsigned i = 0; (format = format_at(drive, i)) != NULL; i++) {
            uint8_t cylinder;

            err = drive->fdc.held ? floppy_drive_start(drive) : 0;
            if (err)
                return err;
            err = fdc_set_rate(&drive->fdc, (enum fdc_rate)format->rate);
            if (!err)
                err = fdc_read_id(&drive->fdc, &cylinder);
            if (!err) {
                drive->format = format;
                return 0;
            }
            if (err == -ETIMEDOUT)
                fdc_hold(&drive->fdc);
            else
                all_timed_out = false;
        }
        if (all_timed_out)
            break;
        delay_us(FLOPPY_SPIN_UP_MS * 1000);
    }
    return client_error(drive->client, err, "no readable disk, ST0 %02x ST1 %02x",
                        drive->fdc.result[0], drive->fdc.result[1]);
}

/*
 * How many cylinders the medium has, and how far apart: at the drive's last even cylinder, 78, is
 * the 78th of 80, or the 39th of 40 that are two steps apart, or nothing. (A drive for 80 never
 * sees 40 that are one step apart, but emulators make such.)
 */
static void find_cylinders(struct floppy_drive *drive)
{
    const uint8_t last_wide = NARROW_CYLINDERS - 1;
    uint8_t cylinder = 0;
    int err;

    drive->cylinders = drive->format->cylinders;
    drive->double_step = false;
    if (drive->cmos_type != TYPE_1200K || drive->format->sectors != NARROW_SECTORS)
        return;
    err = fdc_seek(&drive->fdc, (uint8_t)(2 * last_wide));
    if (!err)
        err = fdc_read_id(&drive->fdc, &cylinder);
    if (err == -ETIMEDOUT)
        fdc_hold(&drive->fdc);
    if (!err && cylinder == 2 * last_wide)
        return;
    drive->cylinders = NARROW_CYLINDERS;
    drive->double_step = !err && cylinder == last_wide;
}

int floppy_drive_find_medium(struct floppy_drive *drive)
{
    int err = floppy_drive_reset(drive);

    if (!err)
        err = floppy_drive_start(drive);
    if (!err)
        err = find_format(drive);
    if (err)
        return err;
    find_cylinders(drive);
    err = drive->fdc.held ? floppy_drive_start(drive) : 0;
    if (!err)
        err = fdc_is_write_protected(&drive->fdc, &drive->write_protected);
    if (err)
        return client_error(drive->client, err, "no answer to SENSE DRIVE STATUS, MSR 0x%02x",
                            fdc_status());
    return 0;
}
