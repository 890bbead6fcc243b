/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_RUNNER_WAV_H
#define CI_RUNNER_WAV_H

/*
 * What a sound device played, against what was in memory.
 *
 * The emulator writes what it is given to play into a WAV file. The payload plays blocks that both
 * sides can compute, and names each in its log before it begins:
 *
 *     # sound es1370 s16x2,loops block 12 bytes 2052 muted
 *
 * the client, its format (bits, signed, and channels), whether it may begin the block anew before
 * it is stopped, the block's number, its length, and whether the device's mixer is muted. The bytes
 * of block n are words of xorshift32 (shifts 13, 17, 5), little-endian, each the state after a
 * step, from the seed n * 2654435761 + 0x534f554e modulo 2^32, or 1 if that is 0; a byte of 0 is
 * replaced by 1. So no sample is silence.
 *
 * What plays something else says so before, "# sound es1370 unknown": then anything may follow,
 * until one of the blocks that are named after it begins.
 *
 * Silence in the file (all channels 0) says nothing, wherever it stands. The rest of it must be the
 * blocks, whole, in their order, and nothing else. One that loops may be followed by its own
 * beginning. One that is muted may be
 * missing as a whole.
 *
 * The file has 16 bits and one or two channels: a sample of 8 bits becomes the upper byte, and one
 * of a single channel is on both.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>

#include "ci/runner/words.h"

struct wav_block {
    char client[24];
    uint32_t number, bytes;
    unsigned bits, channels; /* 8 or 16, 1 or 2 */
    bool loops, muted, unknown;
};

/* A file, as samples of 16 bits, those of the channels side by side. */
struct wav {
    int16_t *samples;
    size_t frames; /* of a sample for each channel */
    unsigned channels;
};

/* Fills `to` with the first `bytes` bytes of the block. */
void wav_block_make(uint8_t *to, uint32_t number, uint32_t bytes);

/*
 * Reads a line of the log. Returns 1 if it names a block, then in *block; 0 if it is another line;
 * -EINVAL if it should name one but is wrong.
 */
int wav_block_parse(const char *line, struct wav_block *block);

/*
 * Takes `size` bytes of a file apart. A data chunk that goes on beyond them, as in the file of an
 * emulator that was killed, is what there is. Returns 0, or -EINVAL with *message, for free().
 */
int wav_parse(struct wav *wav, const uint8_t *file, size_t size, char **message);
void wav_free(struct wav *wav);

/*
 * Compares the file with `count` blocks. Returns NULL if it is as it should be, else what is wrong,
 * for free(): block, byte, what it is and what it should be.
 */
char *wav_compare(const struct wav *wav, const struct wav_block *blocks, size_t count);

#endif
