/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DMA through the mapping API, for each device found and for four models of devices in software.
 *
 * What can break on a real machine: a chipset or firmware that gives a device fewer address lines
 * than it says, an 8237 page register that does not keep its bits, a bus master that wraps at
 * 64 KiB or loses the last bytes of a descriptor, caches that do not see what a device wrote (or
 * the device not what they hold), memory above 4 GiB that answers at its lower address as well. And
 * in our own layer: a buffer bounced that need not be, or not bounced that must be, a copy left
 * out, a highmem page copied through the wrong window.
 *
 * How: transfers in random order, with a buffer in every kind of memory, in every class of
 * alignment (any byte of a cache line, across a page, across 64 KiB), from one byte or sector up to
 * 128 KiB. Before each the buffer is filled with what is not to come; around it lies a pattern that
 * must survive; afterwards contents are compared with a reference that came another way: the known
 * sectors of the runner's images, a read by the processor, or a DMA to memory that every device
 * reaches. The counters of the API tell whether a transfer was bounced, and the addresses whether
 * it had to be.
 *
 * How a break shows: the buffer's physical address, the first wrong byte, what it was and what it
 * should have been.
 */
#include "drivers/clock.h"
#include "drivers/transfer.h"
#include "lib/permute.h"
#include "lib/string.h"
#include "paging/highmem.h"
#include "payload/suite.h"
#include "payload/tests/arena_check.h"
#include "payload/tests/dma_bench.h"
#include "payload/tests/dma_misuse.h"

#define CASE_LIMIT_MS \
    4000u /* for a device that is slower than its driver thinks, past the minimum */
#define FULL_FACTOR 8u
#define MASK_24_TRANSFERS 40u
#define RATE_MIN_BYTES KIB(16) /* smaller transfers say little about a rate */

static const uint32_t sizes[] = {
    1,
    2,
    3,
    4,
    7,
    8,
    15,
    16,
    31,
    63,
    64,
    65,
    127,
    511,
    512,
    513,
    1024,
    1536,
    2047,
    2048,
    2049,
    3072,
    4095,
    4096,
    4097,
    5120,
    8192,
    9216,
    9728,
    18432,
    36864,
    65024,
    KIB(64),
    KIB(64) + 512,
    KIB(128) - 512,
    KIB(128),
    20480,
};

/* A transfer to be made. */
struct plan {
    struct dma_arena *arena;
    uint32_t offset; /* of the buffer in the arena */
    uint32_t bytes;
    uint64_t dev_offset;
    bool must_bounce, may_bounce;
};

static uint32_t largest(const struct dma_client *client)
{
    uint32_t bytes = MIN(client->max_bytes, DMA_BENCH_BYTES);

    return client->size_bytes < bytes ? (uint32_t)client->size_bytes : bytes;
}

/*
 * Whether the transfer has to be bounced, from addresses alone: a device that splits at its
 * boundary need not, one that does not may bounce only what crosses.
 */
static void judge_reach(const struct dma_client *client, struct plan *p)
{
    dma_addr_t first = phys_to_dma(p->arena->phys) + p->offset;
    dma_addr_t last = first + p->bytes - 1;
    uint64_t boundary = client->dev->segment_boundary_mask;
    bool crosses = boundary && (addr_number(first) & ~boundary) != (addr_number(last) & ~boundary);

    p->must_bounce = last > client->dev->dma_mask;
    p->may_bounce = p->must_bounce || (crosses && !client->splits_boundary);
}

/*
 * The n-th transfer: all pairs of memory and placement come once in each sixteen, in random order,
 * and all sizes once in each round of theirs. False if the machine has no such memory.
 */
static bool make_plan(struct dma_bench *b, uint32_t n, const struct permutation *pairs,
                      const struct permutation *order, struct plan *p)
{
    const struct dma_client *client = b->client;
    struct prng *prng = test_prng(b->t);
    uint32_t pair = permute_at(pairs, n % (DMA_NR_ARENAS * DMA_NR_PLACEMENTS));
    uint32_t bytes = sizes[permute_at(order, n % ARRAY_SIZE(sizes))];
    uint32_t limit = largest(client);
    uint32_t units;

    p->arena = &b->arena[pair % DMA_NR_ARENAS];
    if (!p->arena->page)
        return false;
    bytes = MIN(bytes, limit);
    p->bytes = MAX(ALIGN_DOWN(bytes, client->granule_bytes), client->granule_bytes);
    p->offset = dma_arena_place(prng, (enum dma_placement)(pair / DMA_NR_ARENAS), p->bytes,
                                client->align_bytes);
    /* The far ends of a large disk take longer to reach than the budget allows for: 1 GiB will do.
     */
    units = (uint32_t)(MIN(client->size_bytes, GIB64(1)) / client->granule_bytes) -
            p->bytes / client->granule_bytes;
    p->dev_offset = (uint64_t)prng_below(prng, units + 1) * client->granule_bytes;
    judge_reach(client, p);
    return true;
}

static void fail_call(struct dma_bench *b, const struct plan *p, const char *what, int err)
{
    test_fail(b->t, "%s of %u bytes at %llu, buffer 0x%llx: error %d: %s", what, p->bytes,
              (unsigned long long)p->dev_offset, addr_number(p->arena->phys + p->offset), -err,
              b->client->reason);
}

/* Bounced where the device can't reach, direct where it can, and nothing left behind. */
static void check_counters(struct dma_bench *b, const struct plan *p,
                           const struct dma_counters *was)
{
    struct device *dev = b->client->dev;
    uint32_t bounced = dev->counters.bounced - was->bounced;
    uint32_t direct = dev->counters.direct - was->direct;
    phys_addr_t phys = p->arena->phys + p->offset;

    TEST_CHECK(b->t, bounced + direct > 0, "0x%llx+%u was never mapped", addr_number(phys),
               p->bytes);
    TEST_CHECK(b->t, bounced == 0 || p->may_bounce, "0x%llx+%u was bounced within mask 0x%llx",
               addr_number(phys), p->bytes, addr_number(dev->dma_mask));
    TEST_CHECK(b->t, !p->must_bounce || direct == 0,
               "0x%llx+%u: %u parts beyond mask 0x%llx direct", addr_number(phys), p->bytes, direct,
               addr_number(dev->dma_mask));
    TEST_CHECK(b->t, bounced > 0 || !p->must_bounce, "0x%llx+%u was not bounced at mask 0x%llx",
               addr_number(phys), p->bytes, addr_number(dev->dma_mask));
    TEST_CHECK(b->t, dma_live_mappings(dev) == 0, "0x%llx+%u: %u mappings left after it",
               addr_number(phys), p->bytes, dma_live_mappings(dev));
}

static void count_rate(struct dma_bench *b, const struct plan *p, uint64_t ns)
{
    b->bytes += p->bytes;
    if (p->bytes < RATE_MIN_BYTES)
        return;
    if (p->must_bounce) {
        b->bounced_bytes += p->bytes;
        b->bounced_ns += ns;
    } else if (!p->may_bounce) {
        b->direct_bytes += p->bytes;
        b->direct_ns += ns;
    }
}

static void do_read(struct dma_bench *b, struct plan *p)
{
    struct dma_spot spot = dma_arena_spot(p->arena, p->offset);
    struct dma_client *client = b->client;
    struct dma_counters was;
    uint64_t start, ns;
    int err;

    if (dma_bench_make_reference(b, p->dev_offset, p->bytes))
        return;
    /* At least the first byte differs from what is to come. */
    memset_page(p->arena->page, p->offset, (uint8_t)~b->wanted[0], p->bytes);
    was = client->dev->counters;
    start = clock_ns();
    err = client_read(client, p->dev_offset, spot.page, spot.offset, p->bytes);
    ns = clock_ns() - start;
    if (err && dma_bench_is_bad_medium(b, p->dev_offset, p->bytes, err))
        goto out;
    if (err) {
        was = client->dev->counters;
        err = dma_bench_read_again(b, p->dev_offset, spot.page, spot.offset, p->bytes, err);
    }
    if (err) {
        fail_call(b, p, "read", err);
    } else {
        count_rate(b, p, ns);
        b->nr_done++;
        arena_check_contents(b->t, p->arena, p->offset, b->wanted, p->bytes, "read");
        check_counters(b, p, &was);
    }
out:
    arena_check_guards(b->t, p->arena, p->offset, p->bytes);
    dma_arena_paint(p->arena, p->offset, p->bytes);
}

/* The device's whole memory, by way of memory that it reaches, against what it should hold. */
static void check_far_side(struct dma_bench *b, const struct plan *p)
{
    struct dma_client *client = b->client;
    uint32_t bytes = (uint32_t)client->size_bytes;
    uint32_t at = 0;
    int err;

    memset_page(b->far, 0, (uint8_t)~b->shadow[0], bytes);
    if (client->read_pio)
        err = client_read_pio(client, 0, b->wanted, bytes);
    else
        err = client_read(client, 0, b->far, 0, bytes);
    if (err) {
        fail_call(b, p, "reading back", err);
        return;
    }
    if (!client->read_pio)
        memcpy_from_page(b->wanted, b->far, 0, bytes);
    if (memcmp(b->wanted, b->shadow, bytes) == 0)
        return;
    while (b->wanted[at] == b->shadow[at])
        at++;
    test_fail(b->t, "write from 0x%llx+%u to device %llu: its byte %u is 0x%02x, not 0x%02x",
              addr_number(p->arena->phys + p->offset), p->bytes, (unsigned long long)p->dev_offset,
              at, b->wanted[at], b->shadow[at]);
    /* Only what this transfer broke is its fault. */
    memcpy(b->shadow, b->wanted, bytes);
}

static void do_write(struct dma_bench *b, struct plan *p)
{
    struct dma_spot spot = dma_arena_spot(p->arena, p->offset);
    struct dma_client *client = b->client;
    uint8_t *target = b->shadow + (uint32_t)p->dev_offset;
    uint8_t old_first = target[0];
    struct dma_counters was = client->dev->counters;
    int err;

    dma_bench_randomise(test_prng(b->t), target, p->bytes);
    if (target[0] == old_first)
        target[0] ^= UINT8_MAX;
    memcpy(b->wanted, target, p->bytes);
    memcpy_to_page(p->arena->page, p->offset, target, p->bytes);
    err = client_write(client, p->dev_offset, spot.page, spot.offset, p->bytes);
    b->bytes += p->bytes;
    if (err) {
        fail_call(b, p, "write", err);
    } else {
        arena_check_contents(b->t, p->arena, p->offset, b->wanted, p->bytes,
                             "write changed its source");
        check_counters(b, p, &was);
        check_far_side(b, p);
    }
    arena_check_guards(b->t, p->arena, p->offset, p->bytes);
    dma_arena_paint(p->arena, p->offset, p->bytes);
}

/*
 * Of a case, and the time that they may take if the device is slow. 16 have each kind of memory
 * with each class of alignment once.
 */
static const struct {
    uint32_t least, most, ms;
} transfers[] = {
    [DEPTH_SPARSE] = {8, 64, 600},
    [DEPTH_SMOKE] = {16, 160, 1600},
    [DEPTH_FULL] = {16, 160 * FULL_FACTOR, 1600 * FULL_FACTOR},
};

/* transfer_ms: what one transfer of the case costs. */
static uint32_t nr_transfers(const struct dma_bench *b, uint32_t transfer_ms)
{
    enum depth depth = test_depth(b->t);
    uint32_t most = transfers[depth].most;

    return MIN(MAX(transfer_ms ? transfers[depth].ms / transfer_ms : most, transfers[depth].least),
               most);
}

static void run_transfers(struct dma_bench *b, uint32_t count,
                          void (*transfer)(struct dma_bench *b, struct plan *p))
{
    uint32_t limit_ms = CASE_LIMIT_MS * (test_depth(b->t) == DEPTH_FULL ? FULL_FACTOR : 1);
    deadline_t deadline = deadline_in_ms(limit_ms);
    struct permutation pairs, order;
    struct plan p;

    permute_init(&pairs, DMA_NR_ARENAS * DMA_NR_PLACEMENTS, prng_u64(test_prng(b->t)));
    permute_init(&order, ARRAY_SIZE(sizes), prng_u64(test_prng(b->t)));
    for (uint32_t n = 0; n < count && !test_should_stop(b->t); n++) {
        if (n >= transfers[test_depth(b->t)].least && deadline_passed(deadline))
            break;
        test_progress(b->t, n, count);
        if (b->client->quarantined)
            break;
        /* Both ways to learn of an end, in turns. */
        if (b->client->completion)
            b->client->completion->by_interrupt = n % 2 == 0;
        if (make_plan(b, n, &pairs, &order, &p))
            transfer(b, &p);
    }
}

/* What must hold at the end of a case. */
static void check_end(struct dma_bench *b)
{
    struct device *dev = b->client->dev;
    struct bounce_pool_info pool;

    arenas_check_whole(b->t, b->arena);
    TEST_CHECK(b->t, dma_check_leaks(dev) == 0, "%s: mappings were leaked", dev->name);
    for (unsigned i = 0; bounce_pool_info(i, &pool); i++)
        TEST_CHECK(b->t, pool.used_bytes == 0, "bounce pool at 0x%llx: %u bytes still in use",
                   addr_number(pool.base), pool.used_bytes);
}

static uint64_t mib_per_s(uint64_t bytes, uint64_t ns)
{
    uint64_t us = ns / 1000;

    return us ? bytes * 1000000 / us >> 20 : 0;
}

static void give_metrics(struct dma_bench *b, const char *direction)
{
    uint64_t rate;

    client_loan_metrics(b->t, &b->loan, direction);
    client_metric(b->t, b->client, b->bytes, "bytes", "%s_bytes", direction);
    rate = mib_per_s(b->direct_bytes, b->direct_ns);
    if (rate)
        client_metric(b->t, b->client, rate, "MiB/s", "read_rate_direct");
    rate = mib_per_s(b->bounced_bytes, b->bounced_ns);
    if (rate)
        client_metric(b->t, b->client, rate, "MiB/s", "read_rate_bounced");
}

static void case_read(struct test *t)
{
    struct dma_bench *b = dma_bench_open(t);

    if (!b)
        return;
    if (!b->client->read) {
        test_skip(t, "%s is not read from", b->client->name);
    } else if (dma_bench_choose_reference(b)) {
        run_transfers(b, nr_transfers(b, b->client->cost_ms), do_read);
        dma_bench_judge_media(b);
        give_metrics(b, "read");
    }
    check_end(b);
    dma_bench_close(b);
}

static bool reaches_all(const struct dma_bench *b)
{
    for (unsigned i = 0; i < DMA_NR_ARENAS; i++) {
        const struct dma_arena *arena = &b->arena[i];

        if (arena->page &&
            phys_to_dma(arena->phys) + DMA_ARENA_BYTES - 1 > b->client->dev->dma_mask)
            return false;
    }
    return true;
}

/* A device that reaches all of this machine's memory is told to use 24 bits, and has to bounce. */
static void case_mask_24(struct test *t)
{
    struct dma_bench *b = dma_bench_open(t);

    if (!b)
        return;
    if (!b->client->read) {
        test_skip(t, "%s is not read from", b->client->name);
    } else if (!reaches_all(b)) {
        test_skip(t, "%s has memory to bounce as it is", b->client->name);
    } else if (dma_set_mask(b->client->dev, DMA_BIT_MASK(24)) < 0) {
        test_error(t, "%s can't be told to use 24 bits", b->client->name);
    } else if (dma_bench_choose_reference(b)) {
        run_transfers(b, MIN(nr_transfers(b, b->client->cost_ms), MASK_24_TRANSFERS), do_read);
        dma_bench_judge_media(b);
        client_metric(t, b->client, b->client->dev->counters.bounced - b->loan.before.bounced,
                      "count", "mask_24_bounced");
    }
    check_end(b);
    dma_bench_close(b);
}

static void case_write(struct test *t)
{
    struct dma_bench *b = dma_bench_open(t);

    if (!b)
        return;
    if (!b->client->write || b->client->size_bytes > DMA_BENCH_BYTES) {
        test_skip(t, "%s is not written to", b->client->name);
    } else if (dma_bench_choose_reference(b)) {
        run_transfers(b, nr_transfers(b, 2 * b->client->cost_ms), do_write);
        give_metrics(b, "write");
    }
    check_end(b);
    dma_bench_close(b);
}

static void case_many(struct test *t)
{
    struct dma_bench *b = dma_bench_open(t);

    if (!b)
        return;
    dma_check_many(t, b->client->dev, b->arena);
    check_end(b);
    dma_bench_close(b);
}

static void case_misuse(struct test *t)
{
    struct dma_bench *b = dma_bench_open(t);

    if (!b)
        return;
    dma_check_limits(t, b->client->dev, b->arena);
    dma_check_partial_sync(t, b->client->dev, b->arena);
    dma_check_misuse(t, b->client->dev, b->arena);
    dma_check_owner(t, b->client->dev, b->arena);
    check_end(b);
    dma_bench_close(b);
}

static void case_full(struct test *t)
{
    struct dma_bench *b = dma_bench_open(t);

    if (!b)
        return;
    dma_check_full(t, b->client->dev, b->arena);
    check_end(b);
    dma_bench_close(b);
}

static const struct test_case cases[] = {
    {"read", case_read}, {"mask_24", case_mask_24}, {"write", case_write},
    {"many", case_many}, {"misuse", case_misuse},   {"full", case_full},
};

SUITE(dma_bounce) = {
    .name = "dma_bounce",
    .rank = SUITE_RANK_STRESS,
    .about = "transfers of every device through the mapping API, direct and bounced",
    .cases = cases,
    .nr_cases = ARRAY_SIZE(cases),
    .nr_instances = dma_bench_count,
    .abandon = dma_bench_abandon,
    .instance_name = dma_bench_name,
};
