/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_SOUND_H
#define DRIVERS_SOUND_H

/*
 * What the drivers of sound devices share.
 *
 * Playing is a device's way to read memory, recording its way to write it; what can be heard is of
 * no interest here. Every mixer is muted before the first sample leaves, unless the boot option
 * audible= names the device: on somebody's machine nothing sounds, and no microphone is listened
 * to.
 */

#include "drivers/dma.h"
#include "drivers/yield_lock.h"
#include "lib/types.h"

struct dma_client;

/*
 * dma_client.stream of these devices: what is played, and whether a device that is not stopped in
 * time begins anew.
 */
#define SOUND_STREAM_S16_STEREO "s16x2"
#define SOUND_STREAM_S16_STEREO_LOOPS "s16x2,loops"
#define SOUND_STREAM_S8_MONO "s8x1"
#define SOUND_STREAM_S8_MONO_LOOPS "s8x1,loops"
#define SOUND_STREAM_S16_MONO "s16x1"
#define SOUND_STREAM_S16_MONO_LOOPS "s16x1,loops"
#define SOUND_RATE_HZ 44100u

/*
 * The devices that may be heard: comma-separated globs of driver names, kept as they are; "" or
 * never called: none. Context: before devices_probe().
 */
void sound_set_audible(const char *names);
bool sound_is_audible(const char *name);

/*
 * The `index`-th name of the option, from 0, that no sound device here has asked for, copied to
 * text; false after the last. Context: after devices_probe().
 */
bool sound_unknown(unsigned index, char *text, uint32_t size);

/*
 * What a client is asked for must be whole granules that it can take in one call. Returns 0, or
 * -EINVAL with the client's reason.
 */
int sound_check_request(struct dma_client *client, uint32_t offset, uint32_t bytes);

/*
 * Each device has one mixer, one set of registers, and one user at a time.
 * Returns 0, or -EBUSY with the client's reason. Context: as yield_lock_take().
 */
int sound_claim(struct dma_client *client, struct yield_lock *lock);

/* Ends a mapping of which the device has moved the first `arrived` bytes. */
void sound_unmap(struct device *dev, dma_addr_t addr, uint32_t bytes, uint32_t arrived,
                 enum dma_data_direction dir);

#endif
