/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_FDC_H
#define DRIVERS_FDC_H

/*
 * The floppy controller (82077AA, the 765 before it, and compatible) at port 0x3f0, with its first
 * drive, for drivers/floppy.c alone: commands and their waits, no knowledge of media.
 *
 * Every wait has a deadline, so neither an absent controller nor one without an interrupt line can
 * hang the machine. The end of a seek is waited for by interrupt 6, because asking too early is not
 * harmless everywhere (Bochs forgets the seek); without an interrupt it is asked for after a while.
 * The end of other commands is waited for by interrupt or by asking, as fdc.completion says.
 *
 * Some waits of the controller have no end: with the disk not turning there are no index pulses,
 * and it counts them to give up. Then, and after any other -ETIMEDOUT, it takes no commands before
 * fdc_reset().
 *
 * Commands are those of the 82077AA data sheet, chapter 5. Context of all: thread, interrupts on,
 * after clock_init().
 */

#include "drivers/completion.h"
#include "lib/types.h"

#define FDC_NR_RESULTS 7u /* of READ DATA and READ ID: ST0, ST1, ST2, C, H, R, N */
#define FDC_DMA_CHANNEL 2u

/* Data rates, as the configuration control register has them. */
enum fdc_rate { FDC_RATE_500K, FDC_RATE_300K, FDC_RATE_250K, FDC_RATE_1M };

/* State of the controller. Zeroed to begin with; all but `perpendicular` and what
 * stands with `completion` is written here only. */
struct fdc {
    bool perpendicular; /* the drive is one for 2.88 MB; to be set before fdc_reset() */
    bool enhanced;      /* the controller knows CONFIGURE and PERPENDICULAR MODE */
    bool motor_on;
    bool held; /* in reset, until fdc_reset() */
    uint8_t rate;
    int cylinder;                 /* where the heads are, or -1 */
    uint8_t st0;                  /* of the last seek */
    struct completion completion; /* of commands with results; by_interrupt is the user's */
    volatile bool armed;          /* an interrupt is expected */
    volatile bool interrupted;    /* and came */
    uint8_t result[FDC_NR_RESULTS];
};

/* A run of sectors within a track. */
struct fdc_run {
    uint8_t cylinder; /* as the medium numbers it; the heads must be there already */
    uint8_t head;
    uint8_t sector; /* from 1 on */
    uint8_t last;   /* how far the controller goes: sectors a track, or less */
    uint8_t gap;    /* between sectors, as READ DATA wants it */
};

/* False if nothing is at the controller's ports. */
bool fdc_is_present(void);

/* The main status register, for messages. */
uint8_t fdc_status(void);

/* Takes interrupt 6 for the commands to come, and gives it back. `name` is not copied. */
void fdc_begin(struct fdc *fdc, const char *name);
void fdc_end(struct fdc *fdc);

/*
 * Brings the controller into a known state from any other, at data rate `rate`. The motor is off
 * and the heads are anywhere then. Returns 0, or -ETIMEDOUT if it does not answer.
 */
int fdc_reset(struct fdc *fdc, enum fdc_rate rate);

/* Stops whatever it does, at once: it is held in reset, with the motor off. Context: any. */
void fdc_hold(struct fdc *fdc);

void fdc_set_motor(struct fdc *fdc, bool on);

/* Returns 0 or -ETIMEDOUT. */
int fdc_set_rate(struct fdc *fdc, enum fdc_rate rate);

/* True if the disk was taken out since the last step with a disk in the drive; motor on. */
bool fdc_disk_changed(void);

/* Moves the heads, to cylinder 0 or the one named. Returns 0, -EIO if it failed, -ETIMEDOUT. */
int fdc_recalibrate(struct fdc *fdc);
int fdc_seek(struct fdc *fdc, uint8_t cylinder);

/*
 * Reads any sector's address under head 0; the cylinder's number, as the medium has it, goes to
 * *cylinder. Returns 0, -EIO if there is none at this data rate, -ETIMEDOUT.
 */
int fdc_read_id(struct fdc *fdc, uint8_t *cylinder);

/* Whether the disk's tab says so; motor on. Returns 0 or -ETIMEDOUT. */
int fdc_is_write_protected(struct fdc *fdc, bool *is);

/*
 * Reads or writes sectors, as many as the DMA channel is programmed for, which is the caller's to
 * do. Returns 0; -EIO if the medium has a fault (checksum, no such sector); -EROFS if it is write-
 * protected; -ENOSPC if the run's last sector was reached and the channel wanted more; -EPROTO if
 * the transfer failed with the medium in order (the DMA came too late); -ETIMEDOUT.
 */
int fdc_transfer(struct fdc *fdc, const struct fdc_run *run, bool to_disk);

#endif
