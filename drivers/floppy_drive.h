/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_FLOPPY_DRIVE_H
#define DRIVERS_FLOPPY_DRIVE_H

/*
 * The first floppy drive and what is in it, for drivers/floppy.c alone: motor, heads, the medium's
 * format. No data is moved here.
 *
 * What is in the drive is found by trying the data rates that its type allows. The motor is started
 * by the first use and runs until floppy_drive_quiet(). Its spin-up is not waited for in advance:
 * what fails while the disk is still slow is for the caller to try again.
 *
 * A drive latches that its disk was taken out, until a step with a disk in it. A medium that was
 * found before and has been changed is not used any more: nobody knows what it is, nor whose.
 *
 * Functions that fail leave the reason with the client. Context of all: as drivers/fdc.h has it.
 */

#include "drivers/clock.h"
#include "drivers/fdc.h"
#include "drivers/transfer.h"

#define FLOPPY_SECTOR_BYTES 512u
#define FLOPPY_HEADS 2u
#define FLOPPY_SPIN_UP_MS 300u
#define FLOPPY_ATTEMPTS 4u

/* What a medium can be. */
struct floppy_format {
    uint8_t cmos_type; /* of the drive */
    uint8_t cylinders; /* most that it has */
    uint8_t sectors;   /* a track */
    uint8_t rate;      /* enum fdc_rate */
    uint8_t gap;       /* between sectors, as READ DATA wants it */
};

struct floppy_drive {
    struct fdc fdc;
    struct dma_client *client; /* who is told why something failed */
    const struct floppy_format *format;
    unsigned cmos_type;
    uint8_t cylinders;    /* of the medium */
    bool double_step;     /* they are two steps of the drive apart */
    bool write_protected; /* the medium */
    bool changed;         /* it is not the one that was found */
    deadline_t at_speed;  /* when the motor is, that was switched on */
};

/* Reads the drive's type from the CMOS. Returns 0, or -ENODEV: no drive, or of no known type. */
int floppy_drive_find(struct floppy_drive *drive);

/* Resets the controller, at the medium's data rate, or the likeliest of the drive. */
int floppy_drive_reset(struct floppy_drive *drive);

/*
 * Finds out what is in the drive, from any state. Returns 0; -ENXIO without a disk; -EIO for one
 * that can't be read; -ETIMEDOUT.
 */
int floppy_drive_find_medium(struct floppy_drive *drive);

/*
 * Starts the motor and makes sure that the disk is there that was found. Returns 0, -ENXIO without
 * one or with another, -ETIMEDOUT.
 */
int floppy_drive_start(struct floppy_drive *drive);

/*
 * Waits until the motor is at speed, as far as time tells. Reading can do without, since it is
 * tried again; what is written at a wrong speed may reach into the next sector. Context: thread.
 */
void floppy_drive_await_speed(const struct floppy_drive *drive);

/* Moves the heads to a cylinder of the medium. */
int floppy_drive_seek(struct floppy_drive *drive, uint8_t cylinder);

#endif
