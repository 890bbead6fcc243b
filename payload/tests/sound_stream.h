/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_TESTS_SOUND_STREAM_H
#define PAYLOAD_TESTS_SOUND_STREAM_H

/*
 * What is played: blocks of bytes that the runner knows as well (ci/runner/wav.h), so that it can
 * say of the file into which an emulator plays whether each byte came out.
 *
 * Block n is words of xorshift32 (Marsaglia, "Xorshift RNGs", 2003; shifts 13, 17, 5), little-
 * endian, each the state after a step, from the seed n * 2654435761 + 0x534f554e ("SOUN") modulo
 * 2^32, or 1 if that is 0. A byte of 0 is replaced by 1: then no sample is silence.
 */

#include "lib/types.h"

void sound_stream_make(uint8_t *to, uint32_t block, uint32_t bytes);

#endif
