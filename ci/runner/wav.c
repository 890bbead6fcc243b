// SPDX-License-Identifier: BSD-2-Clause
#include "ci/runner/wav.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_START "# sound "
#define SEED_FACTOR UINT32_C(2654435761)
#define SEED_START UINT32_C(0x534f554e)

/* So many frames in a row don't look like a block by chance. */
#define TELLING_FRAMES 8

/* RIFF: a header of 12 bytes, then chunks of a name, a length and the contents, to even addresses
 */
#define RIFF_HEADER_BYTES 12
#define CHUNK_HEADER_BYTES 8
#define FORMAT_BYTES 16
#define FORMAT_PCM 1
#define BYTES_PER_SAMPLE 2

/* A block as it should come out. */
struct expected {
    int16_t *frames; /* of two channels */
    size_t count;
};

static uint32_t get_le(const uint8_t *at, unsigned bytes)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < bytes; i++)
        value |= (uint32_t)at[i] << (8 * i);
    return value;
}

static uint32_t xorshift32(uint32_t x)
{
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return x;
}

void wav_block_make(uint8_t *to, uint32_t number, uint32_t bytes)
{
    uint32_t state = number * SEED_FACTOR + SEED_START;

    if (!state)
        state = 1;
    for (uint32_t i = 0; i < bytes; i++) {
        if (i % sizeof(state) == 0)
            state = xorshift32(state);
        to[i] = (uint8_t)(state >> (8 * (i % sizeof(state))));
        if (!to[i])
            to[i] = 1;
    }
}

int wav_block_parse(const char *line, struct wav_block *block)
{
    const char *start = strstr(line, LINE_START);
    char stream[16], rest[16] = "";
    char sign;
    int end = 0;

    if (!start || strspn(line, " ") != (size_t)(start - line))
        return 0;
    *block = (struct wav_block){0};
    if (sscanf(start, LINE_START "%23s %15s", block->client, stream) == 2 &&
        !strcmp(stream, "unknown")) {
        block->unknown = true;
        return 1;
    }
    if (sscanf(start, LINE_START "%23s %15s block %" SCNu32 " bytes %" SCNu32 " %15s",
               block->client, stream, &block->number, &block->bytes, rest) < 4)
        return -EINVAL;
    if (sscanf(stream, "%c%ux%u%n", &sign, &block->bits, &block->channels, &end) != 3)
        return -EINVAL;
    if (sign != 's' || (block->bits != 8 && block->bits != 16))
        return -EINVAL;
    if (block->channels < 1 || block->channels > 2 ||
        block->bytes % (block->channels * block->bits / 8))
        return -EINVAL;
    block->loops = !strcmp(stream + end, ",loops");
    block->muted = !strcmp(rest, "muted");
    if ((stream[end] && !block->loops) || (*rest && !block->muted))
        return -EINVAL;
    return 1;
}

static const uint8_t *find_chunk(const uint8_t *file, size_t size, const char *name, size_t *length)
{
    size_t at = RIFF_HEADER_BYTES;

    while (at + CHUNK_HEADER_BYTES <= size) {
        size_t said = get_le(file + at + 4, 4), there = size - at - CHUNK_HEADER_BYTES;

        if (!memcmp(file + at, name, 4)) {
            /* QEMU writes the length when it closes the file. */
            *length = said && said < there ? said : there;
            return file + at + CHUNK_HEADER_BYTES;
        }
        if (said > there)
            break;
        at += CHUNK_HEADER_BYTES + said + said % 2;
    }
    return NULL;
}

int wav_parse(struct wav *wav, const uint8_t *file, size_t size, char **message)
{
    size_t format_size, data_size;
    const uint8_t *format, *data;

    *wav = (struct wav){0};
    if (size < RIFF_HEADER_BYTES || memcmp(file, "RIFF", 4) || memcmp(file + 8, "WAVE", 4)) {
        *message = text("no WAV file");
        return -EINVAL;
    }
    format = find_chunk(file, size, "fmt ", &format_size);
    data = find_chunk(file, size, "data", &data_size);
    if (!format || format_size < FORMAT_BYTES || !data) {
        *message = text("a WAV file without format or data");
        return -EINVAL;
    }
    wav->channels = get_le(format + 2, 2);
    if (get_le(format, 2) != FORMAT_PCM || get_le(format + 14, 2) != 8 * BYTES_PER_SAMPLE ||
        wav->channels < 1 || wav->channels > 2) {
        *message = text("format %" PRIu32 ", %u channels, %" PRIu32 " bits: not 16 bits of PCM",
                        get_le(format, 2), wav->channels, get_le(format + 14, 2));
        return -EINVAL;
    }
    wav->frames = data_size / BYTES_PER_SAMPLE / wav->channels;
    wav->samples = calloc(wav->frames * wav->channels + 1, sizeof(*wav->samples));
    if (!wav->samples)
        abort();
    for (size_t i = 0; i < wav->frames * wav->channels; i++)
        wav->samples[i] = (int16_t)get_le(data + i * BYTES_PER_SAMPLE, BYTES_PER_SAMPLE);
    return 0;
}

void wav_free(struct wav *wav)
{
    free(wav->samples);
    *wav = (struct wav){0};
}

/* The file without silence, always of two channels. */
static int16_t *sounding_frames(const struct wav *wav, size_t *count)
{
    int16_t *frames = calloc(2 * wav->frames + 2, sizeof(*frames));

    if (!frames)
        abort();
    *count = 0;
    for (size_t i = 0; i < wav->frames; i++) {
        int16_t left = wav->samples[i * wav->channels];
        int16_t right = wav->samples[i * wav->channels + wav->channels - 1];

        if (!left && !right)
            continue;
        frames[2 * *count] = left;
        frames[2 * *count + 1] = right;
        ++*count;
    }
    return frames;
}

static struct expected expect_block(const struct wav_block *block)
{
    unsigned bytes_per_sample = block->bits / 8;
    struct expected expected = {.count = block->bytes / bytes_per_sample / block->channels};
    uint8_t *bytes = malloc(block->bytes + 1);

    if (!bytes)
        abort();
    expected.frames = calloc(2 * expected.count + 1, sizeof(*expected.frames));
    if (!expected.frames)
        abort();
    wav_block_make(bytes, block->number, block->bytes);
    for (size_t i = 0; i < 2 * expected.count; i++) {
        size_t sample = i / 2 * block->channels + (i % 2 && block->channels == 2);
        const uint8_t *at = bytes + sample * bytes_per_sample;

        uint32_t value = block->bits == 16 ? get_le(at, 2) : (uint32_t)*at << 8;

        expected.frames[i] = (int16_t)value;
    }
    free(bytes);
    return expected;
}

/* How many frames at `frames` are those of the block. */
static size_t matching(const int16_t *frames, size_t count, const struct expected *expected)
{
    size_t limit = count < expected->count ? count : expected->count, i = 0;

    while (i < limit && frames[2 * i] == expected->frames[2 * i] &&
           frames[2 * i + 1] == expected->frames[2 * i + 1])
        i++;
    return i;
}

/* Does the block begin here? */
static bool begins(const int16_t *frames, size_t count, const struct expected *expected)
{
    size_t enough = expected->count < TELLING_FRAMES ? expected->count : TELLING_FRAMES;

    return matching(frames, count, expected) >= enough;
}

/*
 * How many frames a device went on with the block's beginning, before `next` (NULL: the end). As
 * few as it takes: a sample of 8 bits may be the next block's first by chance.
 */
static size_t repeated(const int16_t *frames, size_t count, const struct expected *expected,
                       const struct expected *next)
{
    size_t i;

    for (i = 0; i < count; i++) {
        const int16_t *wanted = expected->frames + 2 * (i % expected->count);

        if (next && begins(frames + 2 * i, count - i, next))
            break;
        if (frames[2 * i] != wanted[0] || frames[2 * i + 1] != wanted[1])
            break;
    }
    return i;
}

/* Where the first of the blocks that are known begins. */
static size_t next_known(const int16_t *frames, size_t count, const struct wav_block *blocks,
                         const struct expected *expected, size_t nr_blocks)
{
    for (size_t at = 0; at < count; at++) {
        for (size_t i = 0; i < nr_blocks; i++) {
            if (!blocks[i].unknown && begins(frames + 2 * at, count - at, &expected[i]))
                return at;
        }
    }
    return count;
}

static char *difference(const struct wav_block *block, const int16_t *found, size_t left,
                        const struct expected *expected, size_t at)
{
    unsigned frame_bytes = block->channels * block->bits / 8;
    const int16_t *wanted = expected->frames + 2 * at;
    unsigned shift, sample;

    if (at == left)
        return text("block %" PRIu32 " of %s ends at byte %zu of %" PRIu32, block->number,
                    block->client, at * frame_bytes, block->bytes);
    /* The first byte that differs, as it lay in memory. */
    sample = found[2 * at] == wanted[0];
    shift = block->bits == 8 || ((found[2 * at + sample] ^ wanted[sample]) & 0xff) == 0 ? 8 : 0;
    return text("block %" PRIu32 " of %s, byte %zu: 0x%02x, not 0x%02x", block->number,
                block->client,
                at * frame_bytes + (block->channels == 2 ? sample : 0) * block->bits / 8 +
                    (block->bits == 16 && shift),
                (unsigned)(found[2 * at + sample] >> shift & 0xff),
                (unsigned)(wanted[sample] >> shift & 0xff));
}

char *wav_compare(const struct wav *wav, const struct wav_block *blocks, size_t count)
{
    struct expected *expected = calloc(count + 1, sizeof(*expected));
    size_t total, at = 0;
    int16_t *frames = sounding_frames(wav, &total);
    char *wrong = NULL;

    if (!expected)
        abort();
    for (size_t i = 0; i < count; i++) {
        if (!blocks[i].unknown)
            expected[i] = expect_block(&blocks[i]);
    }
    for (size_t i = 0; i < count && !wrong; i++) {
        if (blocks[i].unknown) {
            at += next_known(frames + 2 * at, total - at, &blocks[i + 1], &expected[i + 1],
                             count - i - 1);
            continue;
        }
        size_t same = matching(frames + 2 * at, total - at, &expected[i]);

        if (same < expected[i].count) {
            if (!blocks[i].muted || begins(frames + 2 * at, total - at, &expected[i]))
                wrong = difference(&blocks[i], frames + 2 * at, total - at, &expected[i], same);
            continue;
        }
        at += same;
        if (blocks[i].loops && same)
            at += repeated(frames + 2 * at, total - at, &expected[i],
                           i + 1 < count && !blocks[i + 1].unknown ? &expected[i + 1] : NULL);
    }
    if (!wrong && at < total)
        wrong = text("%zu samples that no block has, 0x%04x first, after %zu that are right",
                     total - at, (unsigned)(uint16_t)frames[2 * at], at);
    for (size_t i = 0; i < count; i++)
        free(expected[i].frames);
    free(expected);
    free(frames);
    return wrong;
}
