// SPDX-License-Identifier: BSD-2-Clause
/* What was played against what was in memory: each difference is found, and named. */
#include "ci/unit/unit.h"

#include <errno.h>

#include "ci/runner/wav.h"

#define HEADER_BYTES 44
#define FILE_BYTES 8192

/* A file as it grows. */
static struct {
    uint8_t bytes[FILE_BYTES];
    size_t size;
    unsigned channels;
} file;

static void put(uint32_t value, unsigned bytes)
{
    for (; bytes; bytes--, value >>= 8)
        file.bytes[file.size++] = (uint8_t)value;
}

static void put_name(const char *name)
{
    memcpy(file.bytes + file.size, name, 4);
    file.size += 4;
}

static void begin(unsigned channels)
{
    file.size = 0;
    file.channels = channels;
    put_name("RIFF");
    put(0, 4);
    put_name("WAVE");
    put_name("fmt ");
    put(16, 4);
    put(1, 2);
    put(channels, 2);
    put(44100, 4);
    put(44100 * 2 * channels, 4);
    put(2 * channels, 2);
    put(16, 2);
    put_name("data");
    put(0, 4);
    assert_int_equal(file.size, HEADER_BYTES);
}

static void silence(unsigned frames)
{
    put(0, 0);
    for (unsigned i = 0; i < frames * file.channels; i++)
        put(0, 2);
}

static struct wav_block block_of(const char *line)
{
    struct wav_block block;

    assert_int_equal(wav_block_parse(line, &block), 1);
    return block;
}

/* The first `bytes` bytes of a block, as the format says that they come out. */
static void sound(const struct wav_block *block, uint32_t bytes)
{
    static uint8_t memory[FILE_BYTES];

    wav_block_make(memory, block->number, block->bytes);
    for (uint32_t i = 0; i < bytes; i += block->bits / 8) {
        uint32_t sample =
            block->bits == 8 ? (uint32_t)memory[i] << 8 : memory[i] | (uint32_t)memory[i + 1] << 8;

        put(sample, 2);
        if (block->channels == 1 && file.channels == 2)
            put(sample, 2);
    }
}

/* What is wrong with the file. For free(), or NULL. */
static char *compare(const struct wav_block *blocks, size_t count)
{
    struct wav wav;
    char *message = NULL, *wrong;
    /* A copy of its size, so that a read past the end is found. */
    uint8_t *copy = malloc(file.size);

    memcpy(copy, file.bytes, file.size);
    assert_int_equal(wav_parse(&wav, copy, file.size, &message), 0);
    wrong = wav_compare(&wav, blocks, count);
    wav_free(&wav);
    free(copy);
    return wrong;
}

static void assert_right(const struct wav_block *blocks, size_t count)
{
    char *wrong = compare(blocks, count);

    if (wrong)
        fail_msg("%s", wrong);
}

static void assert_wrong(const struct wav_block *blocks, size_t count, const char *wanted)
{
    char *wrong = compare(blocks, count);

    assert_non_null(wrong);
    if (!strstr(wrong, wanted))
        fail_msg("\"%s\" has no \"%s\"", wrong, wanted);
    free(wrong);
}

/* The stream as the header gives it, put together by hand, and never silent in any format. */
static void stream(void **state)
{
    uint8_t bytes[4096];
    uint32_t x = 77u * 2654435761u + 0x534f554eu;

    wav_block_make(bytes, 77, sizeof(bytes));
    for (unsigned i = 0; i < sizeof(bytes); i++) {
        if (i % 4 == 0) {
            x ^= x << 13;
            x ^= x >> 17;
            x ^= x << 5;
        }
        uint8_t want = (uint8_t)(x >> (8 * (i % 4)));
        if (want == 0)
            want = 1;
        assert_int_equal(bytes[i], want);
    }
}

static void lines(void **state)
{
    static const char *const bad[] = {
        "# sound x",
        "# sound x s16x2 block 1",
        "# sound x s16x3 block 1 bytes 4",
        "# sound x u16x2 block 1 bytes 4",
        "# sound x s12x2 block 1 bytes 4",
        "# sound x s16x2 block 1 bytes 6",
        "# sound x s16x2,leaps block 1 bytes 4",
        "# sound x s16x2 block 1 bytes 4 loud",
    };
    struct wav_block block = block_of("    # sound es1370 s16x2,loops block 12 bytes 2052 muted");

    assert_string_equal(block.client, "es1370");
    assert_int_equal(block.number, 12);
    assert_int_equal(block.bytes, 2052);
    assert_int_equal(block.bits, 16);
    assert_int_equal(block.channels, 2);
    assert_true(block.loops);
    assert_true(block.muted);
    block = block_of("# sound sb16-8 s8x1 block 0 bytes 3");
    assert_false(block.loops || block.muted);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(wav_block_parse(bad[i], &block), -EINVAL);
    assert_int_equal(wav_block_parse("ok 1 # sound x", &block), 0);
    assert_int_equal(wav_block_parse("# metric a.b 1 count", &block), 0);
}

/* Every format, to one channel and two, with silence wherever it may be. */
static void whole(void **state)
{
    static const char *const formats[] = {"s16x2", "s16x1", "s8x1", "s8x2"};

    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        for (unsigned channels = strstr(formats[i], "x2") ? 2 : 1; channels <= 2; channels++) {
            struct wav_block blocks[3];

            begin(channels);
            silence(5);
            for (unsigned n = 0; n < 3; n++) {
                char line[64];

                snprintf(line, sizeof(line), "# sound d %s block %u bytes %u", formats[i], n,
                         100 * n + 4);
                blocks[n] = block_of(line);
                sound(&blocks[n], blocks[n].bytes);
                silence(n);
            }
            assert_right(blocks, 3);
            assert_wrong(blocks, 2, "that no block has");
        }
    }
}

/* Any byte of a file that is changed is found, as the byte in memory that it was. */
static void every_byte(void **state)
{
    struct wav_block blocks[] = {block_of("# sound d s16x2 block 1 bytes 100"),
                                 block_of("# sound d s16x2 block 2 bytes 60")};
    char wanted[64];

    for (unsigned at = 0; at < 160; at++) {
        unsigned block = at >= 100;

        begin(2);
        sound(&blocks[0], 100);
        sound(&blocks[1], 60);
        file.bytes[HEADER_BYTES + at] ^= 0x10;
        snprintf(wanted, sizeof(wanted), "block %u of d, byte %u: 0x%02x, not 0x%02x", block + 1,
                 at - block * 100, file.bytes[HEADER_BYTES + at],
                 file.bytes[HEADER_BYTES + at] ^ 0x10);
        assert_wrong(blocks, 2, wanted);
    }
    begin(2);
    for (unsigned at = 0; at < 33; at++) {
        blocks[0] = block_of("# sound d s8x1 block 1 bytes 33");
        begin(2);
        sound(&blocks[0], 33);
        file.bytes[HEADER_BYTES + 4 * at + 1] ^= 0x01;
        file.bytes[HEADER_BYTES + 4 * at + 3] ^= 0x01;
        snprintf(wanted, sizeof(wanted), "byte %u: 0x%02x, not 0x%02x", at,
                 file.bytes[HEADER_BYTES + 4 * at + 1],
                 file.bytes[HEADER_BYTES + 4 * at + 1] ^ 0x01);
        assert_wrong(blocks, 1, wanted);
    }
}

/* Left out, swapped, cut short, too much. */
static void order(void **state)
{
    struct wav_block blocks[] = {block_of("# sound d s16x2 block 1 bytes 100"),
                                 block_of("# sound d s16x2 block 2 bytes 60")};

    begin(2);
    assert_wrong(blocks, 2, "block 1 of d ends at byte 0 of 100");
    assert_right(blocks, 0);
    sound(&blocks[1], 60);
    sound(&blocks[0], 100);
    assert_wrong(blocks, 2, "block 1 of d, byte 0");
    begin(2);
    sound(&blocks[0], 100);
    assert_wrong(blocks, 2, "block 2 of d ends at byte 0 of 60");
    sound(&blocks[1], 56);
    assert_wrong(blocks, 2, "block 2 of d ends at byte 56 of 60");
    begin(2);
    sound(&blocks[0], 100);
    sound(&blocks[0], 4);
    sound(&blocks[1], 60);
    assert_wrong(blocks, 2, "block 2 of d, byte 0");
    begin(2);
    sound(&blocks[0], 96);
    sound(&blocks[1], 60);
    assert_wrong(blocks, 2, "block 1 of d, byte 96");
}

/* A device that loops may play the beginning again, several times over, and nothing else. */
static void loops(void **state)
{
    struct wav_block blocks[] = {block_of("# sound d s8x1,loops block 1 bytes 40"),
                                 block_of("# sound d s8x1,loops block 2 bytes 60")};

    for (unsigned again = 0; again < 40; again++) {
        begin(2);
        sound(&blocks[0], 40);
        sound(&blocks[0], 40);
        sound(&blocks[0], again);
        silence(1);
        sound(&blocks[1], 60);
        sound(&blocks[1], again);
        assert_right(blocks, 2);
        put(0x1234, 2);
        put(0x1234, 2);
        assert_wrong(blocks, 2, "that no block has");
    }
    begin(2);
    sound(&blocks[0], 39);
    sound(&blocks[0], 39);
    sound(&blocks[1], 60);
    assert_wrong(blocks, 2, "block 1 of d, byte 39");
}

/* Missing as a whole, but not in part. */
static void muted(void **state)
{
    struct wav_block blocks[] = {block_of("# sound d s16x2 block 1 bytes 100 muted"),
                                 block_of("# sound d s16x2 block 2 bytes 60 muted")};

    begin(2);
    assert_right(blocks, 2);
    sound(&blocks[1], 60);
    assert_right(blocks, 2);
    begin(2);
    sound(&blocks[0], 96);
    sound(&blocks[1], 60);
    assert_wrong(blocks, 2, "block 1 of d, byte 96");
}

/* Something else in between, or nothing of it, or at the end. */
static void unknown(void **state)
{
    struct wav_block blocks[] = {block_of("# sound d s16x2,loops block 1 bytes 100"),
                                 block_of("    # sound d unknown"), block_of("# sound d unknown"),
                                 block_of("# sound d s16x2 block 2 bytes 60")};
    struct wav_block other = block_of("# sound d s16x2 block 9 bytes 400");

    assert_string_equal(blocks[1].client, "d");
    begin(2);
    sound(&blocks[0], 100);
    assert_right(blocks, 3);
    sound(&blocks[3], 60);
    assert_right(blocks, 4);
    begin(2);
    sound(&blocks[0], 100);
    sound(&other, 400);
    assert_right(blocks, 3);
    assert_wrong(blocks, 4, "block 2 of d ends at byte 0 of 60");
    sound(&blocks[3], 60);
    assert_right(blocks, 4);
    sound(&other, 4);
    assert_wrong(blocks, 4, "no block has");
    begin(2);
    sound(&blocks[0], 96);
    sound(&other, 400);
    sound(&blocks[3], 60);
    assert_wrong(blocks, 4, "block 1 of d, byte 96");
}

/* Files of all kinds, and any number of bytes of one. */
static void files(void **state)
{
    struct wav_block block = block_of("# sound d s16x2 block 1 bytes 100");
    char *message = NULL;
    struct wav wav;

    begin(2);
    sound(&block, 100);
    for (size_t size = 0; size < HEADER_BYTES; size++) {
        uint8_t *copy = malloc(size + 1);

        memcpy(copy, file.bytes, size);
        assert_int_equal(wav_parse(&wav, copy, size, &message), -EINVAL);
        wav_free(&wav);
        free(message);
        free(copy);
    }
    file.bytes[HEADER_BYTES - 4] = 20;
    assert_wrong(&block, 1, "block 1 of d ends at byte 20 of 100");
    begin(3);
    assert_int_equal(wav_parse(&wav, file.bytes, file.size, &message), -EINVAL);
    assert_non_null(strstr(message, "3 channels"));
    free(message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stream),     cmocka_unit_test(lines),   cmocka_unit_test(whole),
        cmocka_unit_test(every_byte), cmocka_unit_test(order),   cmocka_unit_test(loops),
        cmocka_unit_test(muted),      cmocka_unit_test(unknown), cmocka_unit_test(files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
