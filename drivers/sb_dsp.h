/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_SB_DSP_H
#define DRIVERS_SB_DSP_H

/*
 * The two chips of a Sound Blaster 16 that have ports: the DSP, which takes commands byte by byte
 * and moves samples by the 8237, and the CT1745 mixer, which also says what line and channels the
 * card has (Creative, "Sound Blaster Series Hardware Programming Guide", 2nd edition, chapters 2,
 * 4 and 6).
 *
 * Each wait is bounded. Context: as the driver's, which has the card for itself.
 */

#include "lib/types.h"

struct sb_dsp {
    uint16_t base; /* port */
};

/*
 * Resets what may be a DSP at dsp->base. Returns its version, major << 8 | minor; -ENODEV when none
 * answers, -EIO when it says no version.
 */
int sb_dsp_find(const struct sb_dsp *dsp);

/* Stops whatever it does. Returns false if it does not answer. */
bool sb_dsp_reset(const struct sb_dsp *dsp);

/* A transfer of signed samples of one channel. */
struct sb_dsp_transfer {
    bool words;     /* samples of 16 bits, else of 8 */
    bool autoinit;  /* on and on, with an interrupt for each block */
    bool input;     /* recording */
    uint32_t block; /* samples until the interrupt, 1 to 65536 */
    uint32_t rate_hz;
};

/* Starts it; the channel of the 8237 must be open. Returns false if the DSP takes no command. */
bool sb_dsp_start(const struct sb_dsp *dsp, const struct sb_dsp_transfer *transfer);

/* Ends an auto-initialised transfer where it is. Returns false if the DSP takes no command. */
bool sb_dsp_stop(const struct sb_dsp *dsp, bool words);

/* True if it has an interrupt for a block of that width, which is acknowledged then. */
bool sb_dsp_take_interrupt(const struct sb_dsp *dsp, bool words);

/* Takes back whatever interrupt it has. */
void sb_dsp_acknowledge(const struct sb_dsp *dsp);

/* The mixer's register with pending interrupts, for messages. */
uint8_t sb_mixer_interrupts(const struct sb_dsp *dsp);

/* Everything silent, and nothing recorded; or what the DSP plays at its loudest. */
void sb_mixer_set(const struct sb_dsp *dsp, bool audible);

/* The line of the 8259, or a negative errno if none is set. */
int sb_mixer_line(const struct sb_dsp *dsp);

/* The channel of the 8237 for samples of that width, or a negative errno if none is set. */
int sb_mixer_channel(const struct sb_dsp *dsp, bool words);

#endif
