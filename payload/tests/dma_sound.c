/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DMA of sound devices: what they play is read from memory, what they record is written there.
 *
 * What can break on a real machine: all that dma_bounce names, and what is peculiar to these: a
 * bus that is slow and always in use, a chip that works in bursts and loses the last one, or that
 * goes on beyond its frame. On a PC nobody hears what was played, so there it shows only that the
 * device fetched as much as it should, when it should, and that it said so by its interrupt. In an
 * emulator that plays into a file the runner compares each byte (ci/runner/wav.h); each block is
 * named in the log for it.
 *
 * How: for each kind of memory, blocks of several sizes, within a page, across pages and across
 * 64 KiB, waited for by interrupt and by asking in turn. What is played is a stream that the runner
 * knows. Before a recording the buffer is filled with loud noise: what of it is still there was not
 * written. Around each buffer lies a pattern that must survive. The counters of the API tell
 * whether a transfer was bounced, and the addresses whether it had to be.
 *
 * How a break shows: the buffer's physical address and the byte, or the block in the runner's
 * words.
 */
#include "drivers/transfer.h"
#include "lib/string.h"
#include "paging/highmem.h"
#include "paging/page_alloc.h"
#include "payload/suite.h"
#include "payload/tests/arena_check.h"
#include "payload/tests/client_bench.h"
#include "payload/tests/sound_stream.h"

#define BUFFER_ORDER 5u
#define BUFFER_BYTES (PAGE_SIZE << BUFFER_ORDER)
#define BOUNDARY KIB(64)
#define FIRST_OFFSET PAGE_SIZE /* room for the guard */

/*
 * Noise that has no neighbours of silence in any format: bytes from 0x20 to 0x5f. A sound that is
 * recorded may hold some of them by chance, but not that many in a row.
 */
#define NOISE_BASE 0x20u
#define NOISE_MASK 0x3fu
#define UNCHANGED_RUN 4u
#define SILENCE 0u

/*
 * QEMU holds the last milliseconds of what it was given to play back until there is more: silence
 * behind it pushes it out.
 */
#define PUSH_BYTES KIB(8)

enum place { PLACE_IN_PAGE, PLACE_CROSS_PAGE, PLACE_CROSS_64K };

struct shape {
    uint32_t bytes;
    enum place place;
    enum depth depth; /* from which on */
};

/* Short ones: 176 KB take a second. */
static const struct shape shapes[] = {
    {64, PLACE_IN_PAGE, DEPTH_SPARSE},
    {1020, PLACE_CROSS_PAGE, DEPTH_SPARSE},
    {2052, PLACE_CROSS_64K, DEPTH_SPARSE},
    {5 * 1024, PLACE_CROSS_PAGE, DEPTH_SPARSE},
    {4, PLACE_IN_PAGE, DEPTH_FULL},
    {20 * 1024, PLACE_CROSS_64K, DEPTH_FULL},
    {BUFFER_BYTES, PLACE_CROSS_64K, DEPTH_FULL},
};

static uint32_t next_block; /* numbers all blocks of a run */

struct buffer {
    struct dma_arena *arena;
    uint32_t offset, bytes;
};

static bool plays_or_records(const struct dma_client *client)
{
    return client->send || client->capture;
}

static unsigned nr_clients(void)
{
    return clients_that(plays_or_records);
}

static const char *client_name(unsigned index)
{
    return client_that(plays_or_records, index)->name;
}

static void place_buffer(struct client_bench *b, const struct shape *shape, struct buffer *buf)
{
    const struct dma_client *client = b->client;
    struct prng *prng = test_prng(b->t);
    uint32_t bytes = MAX(ALIGN_DOWN(MIN(shape->bytes, client->max_bytes), client->granule_bytes),
                         client->granule_bytes);
    uint32_t before = 1 + prng_below(prng, MIN(bytes - 1, BOUNDARY - 2 * FIRST_OFFSET));
    uint32_t pages = (DMA_ARENA_BYTES - bytes) / PAGE_SIZE - 2;
    uint32_t page = FIRST_OFFSET + prng_below(prng, pages) * PAGE_SIZE;

    switch (shape->place) {
    case PLACE_IN_PAGE:
        buf->offset = page + prng_below(prng, PAGE_SIZE - bytes);
        break;
    case PLACE_CROSS_PAGE:
        buf->offset = page + PAGE_SIZE - MIN(before, PAGE_SIZE);
        break;
    case PLACE_CROSS_64K:
        buf->offset = BOUNDARY - before;
        break;
    }
    buf->offset = ALIGN_DOWN(buf->offset, client->align_bytes);
    buf->bytes = bytes;
}

static phys_addr_t phys_of(const struct buffer *buf)
{
    return buf->arena->phys + buf->offset;
}

static void fail_call(struct client_bench *b, const struct buffer *buf, const char *what, int err)
{
    test_fail(b->t, "%s %u bytes, %s 0x%llx: error %d: %s", what, buf->bytes,
              dma_arena_name(buf->arena), addr_number(phys_of(buf)), -err, b->client->reason);
}

static void play(struct client_bench *b, const struct buffer *buf)
{
    struct dma_spot spot = dma_arena_spot(buf->arena, buf->offset);
    struct dma_client *client = b->client;
    struct dma_counters was = client->dev->counters;
    uint32_t block = next_block++;
    int err;

    sound_stream_make(b->wanted, block, buf->bytes);
    memcpy_to_page(buf->arena->page, buf->offset, b->wanted, buf->bytes);
    test_log(b->t, "sound %s %s block %u bytes %u%s", client->name, client->stream, block,
             buf->bytes, client->muted ? " muted" : "");
    err = client_send(client, spot.page, spot.offset, buf->bytes);
    if (err) {
        fail_call(b, buf, "playing", err);
        return;
    }
    client_check_reach(b->t, client, &was, phys_of(buf), buf->bytes);
    arena_check_contents(b->t, buf->arena, buf->offset, b->wanted, buf->bytes, "playing it");
}

static void push_out(struct client_bench *b)
{
    struct dma_arena *arena = &b->arena[0][DMA_ARENA_DMA];
    int err;

    if (!arena->page || b->client->quarantined)
        return;
    memset_page(arena->page, FIRST_OFFSET, SILENCE, PUSH_BYTES);
    err = client_send(b->client, arena->page, FIRST_OFFSET, PUSH_BYTES);
    TEST_CHECK(b->t, !err, "playing silence: error %d: %s", -err, b->client->reason);
    dma_arena_paint(arena, FIRST_OFFSET, PUSH_BYTES);
}

/*
 * The first byte of the recording that was not written, or -1. A device without a source gives
 * silence, and then each byte counts.
 */
static int32_t find_unwritten(const struct client_bench *b, const uint8_t *found, uint32_t bytes)
{
    uint32_t silent = 0, unchanged = 0, in_row = 0;
    int32_t first = -1;

    for (uint32_t i = 0; i < bytes; i++) {
        bool same = found[i] == b->wanted[i];

        silent += found[i] == SILENCE;
        unchanged += same;
        in_row = same ? in_row + 1 : 0;
        if (same && first < 0)
            first = (int32_t)i;
        if (in_row >= UNCHANGED_RUN)
            return (int32_t)(i + 1 - in_row);
    }
    return silent + unchanged == bytes ? first : -1;
}

static void check_written(struct client_bench *b, const struct buffer *buf)
{
    int32_t at = -1;

    for (uint32_t done = 0, part; done < buf->bytes && at < 0; done += part) {
        static uint8_t found[PAGE_SIZE];
        uint8_t *wanted = b->wanted;

        part = MIN(buf->bytes - done, (uint32_t)sizeof(found));
        memcpy_from_page(found, buf->arena->page, buf->offset + done, part);
        b->wanted += done;
        at = find_unwritten(b, found, part);
        b->wanted = wanted;
        if (at >= 0)
            at += (int32_t)done;
    }
    TEST_CHECK(b->t, at < 0, "%s: recording to 0x%llx+%u: byte %d was not written",
               dma_arena_name(buf->arena), addr_number(phys_of(buf)), buf->bytes, at);
}

static void record(struct client_bench *b, const struct buffer *buf)
{
    struct dma_spot spot = dma_arena_spot(buf->arena, buf->offset);
    struct dma_client *client = b->client;
    struct dma_counters was = client->dev->counters;
    int err;

    for (uint32_t i = 0; i < buf->bytes; i++)
        b->wanted[i] = (uint8_t)(NOISE_BASE + (prng_u32(test_prng(b->t)) >> 24 & NOISE_MASK));
    memcpy_to_page(buf->arena->page, buf->offset, b->wanted, buf->bytes);
    err = client_capture(client, spot.page, spot.offset, buf->bytes);
    if (err) {
        fail_call(b, buf, "recording", err);
        return;
    }
    client_check_reach(b->t, client, &was, phys_of(buf), buf->bytes);
    check_written(b, buf);
}

static void run(struct client_bench *b, const char *what,
                void (*transfer)(struct client_bench *b, const struct buffer *buf))
{
    unsigned total = DMA_NR_ARENAS * ARRAY_SIZE(shapes);
    struct test *t = b->t;
    uint64_t total_bytes = 0;
    struct completion *c = b->client->completion;
    struct buffer buf;

    for (unsigned n = 0; n < total && !b->client->quarantined && !test_should_stop(t); n++) {
        const struct shape *shape = &shapes[n / DMA_NR_ARENAS];

        buf.arena = &b->arena[0][n % DMA_NR_ARENAS];
        test_progress(t, n, total);
        if (!buf.arena->page || shape->depth > test_depth(t))
            continue;
        /* With the address bits of an ISA card in turns: on a small machine it would never bounce.
         */
        dma_set_mask(b->client->dev,
                     n / DMA_NR_ARENAS % 2 ? MIN(b->loan.mask, DMA_BIT_MASK(24)) : b->loan.mask);
        place_buffer(b, shape, &buf);
        if (c)
            c->by_interrupt = (n % DMA_NR_ARENAS + n / DMA_NR_ARENAS / 2) % 2 == 0;
        transfer(b, &buf);
        arena_check_guards(b->t, buf.arena, buf.offset, buf.bytes);
        dma_arena_paint(buf.arena, buf.offset, buf.bytes);
        total_bytes += buf.bytes;
    }
    if (c)
        c->by_interrupt = true;
    client_bench_check_end(b);
    client_loan_metrics(t, &b->loan, what);
    client_metric(t, b->client, total_bytes, "bytes", "%s_bytes", what);
}

static struct client_bench *open_bench(struct test *t)
{
    return client_bench_open(t, client_that(plays_or_records, test_instance(t)), 1, BUFFER_ORDER);
}

static void case_play(struct test *t)
{
    struct client_bench *b = open_bench(t);

    if (!b)
        return;
    if (b->client->send) {
        run(b, "play", play);
        push_out(b);
    } else {
        test_skip(t, "%s does not play", b->client->name);
    }
    client_bench_close(b);
}

static void case_record(struct test *t)
{
    struct client_bench *b = open_bench(t);

    if (!b)
        return;
    if (b->client->capture)
        run(b, "record", record);
    else
        test_skip(t, "%s does not record", b->client->name);
    client_bench_close(b);
}

static const struct test_case cases[] = {{"play", case_play}, {"record", case_record}};

SUITE(dma_sound) = {
    .name = "dma_sound",
    .rank = SUITE_RANK_STRESS,
    .about = "playing and recording from and to memory of every kind",
    .cases = cases,
    .nr_cases = ARRAY_SIZE(cases),
    .abandon = client_bench_abandon,
    .nr_instances = nr_clients,
    .instance_name = client_name,
    .no_instance = "no sound device found",
};
