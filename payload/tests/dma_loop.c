/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DMA from memory to memory, through every device that sends into itself: network cards in internal
 * loopback, and the SCRIPTS processor of a SCSI controller.
 *
 * What can break on a real machine: a bridge that drops byte enables at the ends of a burst, or
 * swaps writes of a device with its status; a card that is told 64-bit addresses and puts the lower
 * half on the bus; memory above 4 GiB that answers at its lower address; an interrupt that
 * overtakes the data, is lost, or comes on another line than configuration space says. And in our
 * own layer: the two directions mixed up, a copy left out, a mapping that is direct where it must
 * bounce.
 *
 * How: the source in each kind of memory, the target in each, in each class of alignment, with
 * sizes from the smallest to the largest that the device takes. The source holds random bytes, the
 * target the complement of each before they come, so that a byte that did not arrive is seen as
 * such. Around both lies a pattern. The same by interrupt and by asking, and with the device told a
 * smaller mask than it has, where what it could reach directly must bounce all the same.
 *
 * How a break shows: both physical addresses, the first wrong byte, what it was and should be.
 */
#include "drivers/clock.h"
#include "drivers/transfer.h"
#include "lib/format.h"
#include "lib/permute.h"
#include "lib/string.h"
#include "paging/highmem.h"
#include "payload/suite.h"
#include "payload/tests/arena_check.h"
#include "payload/tests/client_bench.h"

#define CASE_LIMIT_MS 1500u
#define FULL_FACTOR 8u
#define MIN_TRANSFERS 16u
#define BUFFER_ORDER 4u
#define BUFFER_BYTES (PAGE_SIZE << BUFFER_ORDER)
#define WANTED_ORDER (BUFFER_ORDER + 1) /* what is sent, and its complement */
#define NR_PAIRS (DMA_NR_ARENAS * DMA_NR_ARENAS)
#define NR_PLACES (DMA_NR_PLACEMENTS * DMA_NR_PLACEMENTS)

/* Sizes that something may change at; those beyond a device's limits become its limits. */
static const uint32_t edges[] = {
    0,    1,    61,   63,   64,   65,   127,  128,         129,         255,         256,     257,
    511,  512,  513,  1023, 1024, 1025, 1513, 1514,        2047,        2048,        2049,    4095,
    4096, 4097, 8191, 8192, 8193, 8999, 9000, KIB(16) - 1, KIB(32) + 1, KIB(64) - 1, KIB(64),
};

enum side { FROM, TO, NR_SIDES };

/* One of the two buffers of a transfer. */
struct buffer {
    struct dma_arena *arena;
    uint32_t offset;
    bool bounces;
};

struct plan {
    struct buffer buffer[NR_SIDES];
    uint32_t bytes;
};

/* What a case has moved. */
static struct {
    uint32_t done, bounced[NR_SIDES];
    uint64_t direct_bytes, direct_ns, bounced_bytes, bounced_ns;
} moved;

static bool loops(const struct dma_client *client)
{
    return client->loop;
}

static unsigned nr_loops(void)
{
    return clients_that(loops);
}

static const char *loop_name(unsigned index)
{
    return client_that(loops, index)->name;
}

static struct client_bench *open_bench(struct test *t)
{
    memset(&moved, 0, sizeof(moved));
    return client_bench_open(t, client_that(loops, test_instance(t)), NR_SIDES, WANTED_ORDER);
}

static uint32_t choose_bytes(const struct client_bench *b, uint32_t n,
                             const struct permutation *order)
{
    uint32_t least = b->client->loop_min;
    uint32_t most = MIN(b->client->loop_max, BUFFER_BYTES);

    if (n % 2 == 0)
        return least + prng_below(test_prng(b->t), most - least + 1);
    return MIN(MAX(edges[permute_at(order, n / 2 % ARRAY_SIZE(edges))], least), most);
}

static uint32_t head_of(const struct client_bench *b, enum side side)
{
    return side == TO ? b->client->loop_head : 0;
}

static uint32_t tail_of(const struct client_bench *b, enum side side)
{
    return side == TO ? b->client->loop_tail : 0;
}

/* False if the machine has no such memory. */
static bool make_buffer(struct client_bench *b, struct buffer *buffer, enum side side,
                        unsigned kind, enum dma_placement where, uint32_t bytes)
{
    const struct dma_client *client = b->client;
    uint32_t head = head_of(b, side), tail = tail_of(b, side);

    buffer->arena = &b->arena[side][kind];
    if (!buffer->arena->page)
        return false;
    buffer->offset = dma_arena_place(test_prng(b->t), where, bytes + tail, client->align_bytes);
    buffer->bounces = phys_to_dma(buffer->arena->phys) + buffer->offset + bytes + tail - 1 >
                      client->dev->dma_mask;
    /* No limit of a device splits what its mask does not. */
    return buffer->offset >= head + DMA_ARENA_GUARD;
}

static unsigned long long address(const struct plan *p, enum side side)
{
    return addr_number(p->buffer[side].arena->phys + p->buffer[side].offset);
}

static void check_guards(struct client_bench *b, const struct plan *p, enum side side)
{
    const struct buffer *buffer = &p->buffer[side];
    uint32_t head = head_of(b, side);

    arena_check_guards(b->t, buffer->arena, buffer->offset - head,
                       head + p->bytes + tail_of(b, side));
}

static void check_contents(struct client_bench *b, const struct plan *p, enum side side)
{
    static const char *const names[NR_SIDES] = {
        [FROM] = "source, sent to", [TO] = "target, sent from"};
    const struct buffer *buffer = &p->buffer[side];
    char what[40];

    format(what, sizeof(what), "%s 0x%llx", names[side], address(p, side == FROM ? TO : FROM));
    arena_check_contents(b->t, buffer->arena, buffer->offset, b->wanted, p->bytes, what);
}

/* Bounced where the mask demands it and nowhere else, and nothing left behind. */
static void check_counters(struct client_bench *b, const struct plan *p,
                           const struct dma_counters *was)
{
    const struct device *dev = b->client->dev;
    uint32_t wanted = p->buffer[FROM].bounces + p->buffer[TO].bounces;
    uint32_t bounced = dev->counters.bounced - was->bounced;
    uint32_t direct = dev->counters.direct - was->direct;

    TEST_CHECK(b->t, bounced == wanted && direct == NR_SIDES - wanted,
               "0x%llx to 0x%llx, %u bytes, mask 0x%llx: %u bounced and %u direct, not %u and %u",
               address(p, FROM), address(p, TO), p->bytes, addr_number(dev->dma_mask), bounced,
               direct, wanted, NR_SIDES - wanted);
    TEST_CHECK(b->t, dma_live_mappings(dev) == 0, "0x%llx to 0x%llx: %u mappings left after it",
               address(p, FROM), address(p, TO), dma_live_mappings(dev));
}

static void keep_count(struct client_bench *b, const struct plan *p, uint64_t ns)
{
    moved.done++;
    for (unsigned side = FROM; side < NR_SIDES; side++)
        moved.bounced[side] += p->buffer[side].bounces;
    if (p->buffer[FROM].bounces || p->buffer[TO].bounces) {
        moved.bounced_bytes += p->bytes;
        moved.bounced_ns += ns;
    } else {
        moved.direct_bytes += p->bytes;
        moved.direct_ns += ns;
    }
}

static void fill(struct client_bench *b, const struct plan *p)
{
    struct prng *prng = test_prng(b->t);
    uint8_t *complement = b->wanted + BUFFER_BYTES;

    for (uint32_t i = 0; i < p->bytes; i++) {
        b->wanted[i] = (uint8_t)(prng_u32(prng) >> 24);
        complement[i] = (uint8_t)~b->wanted[i];
    }
    memcpy_to_page(p->buffer[FROM].arena->page, p->buffer[FROM].offset, b->wanted, p->bytes);
    memcpy_to_page(p->buffer[TO].arena->page, p->buffer[TO].offset, complement, p->bytes);
}

static void transfer(struct client_bench *b, const struct plan *p)
{
    const struct buffer *from = &p->buffer[FROM], *to = &p->buffer[TO];
    struct dma_client *client = b->client;
    uint32_t head = client->loop_head;
    struct dma_spot source = dma_arena_spot(from->arena, from->offset);
    struct dma_spot target = dma_arena_spot(to->arena, to->offset - head);
    const struct completion *c = client->completion;
    struct dma_counters was = client->dev->counters;
    uint32_t lost = c ? c->lost : 0;
    uint64_t start;
    int err;

    fill(b, p);
    start = clock_ns();
    err = client_loop(client, source.page, source.offset, target.page, target.offset + head,
                      p->bytes);
    if (err) {
        test_fail(b->t, "%u bytes from 0x%llx to 0x%llx: error %d: %s", p->bytes, address(p, FROM),
                  address(p, TO), -err, client->reason);
    } else {
        keep_count(b, p, clock_ns() - start);
        check_contents(b, p, TO);
        /* Made twice if its interrupt was lost; the case says so at its end. */
        if (!c || c->lost == lost)
            check_counters(b, p, &was);
    }
    check_contents(b, p, FROM);
    check_guards(b, p, FROM);
    check_guards(b, p, TO);
    dma_arena_paint(from->arena, from->offset, p->bytes);
    dma_arena_paint(to->arena, to->offset - head, head + p->bytes + client->loop_tail);
}

static const uint32_t nr_transfers[] = {
    [DEPTH_SPARSE] = 64,
    [DEPTH_SMOKE] = 160,
    [DEPTH_FULL] = 160 * FULL_FACTOR,
};

/* All pairs of memory, with all pairs of placement, in random order. */
static void run_transfers(struct client_bench *b)
{
    bool full = test_depth(b->t) == DEPTH_FULL;
    uint32_t nr = nr_transfers[test_depth(b->t)];
    deadline_t deadline = deadline_in_ms(CASE_LIMIT_MS * (full ? FULL_FACTOR : 1));
    struct permutation pairs, places, order;
    struct plan p;

    permute_init(&pairs, NR_PAIRS, prng_u64(test_prng(b->t)));
    permute_init(&places, NR_PLACES, prng_u64(test_prng(b->t)));
    permute_init(&order, ARRAY_SIZE(edges), prng_u64(test_prng(b->t)));
    for (uint32_t n = 0; n < nr && !test_should_stop(b->t); n++) {
        uint32_t pair = permute_at(&pairs, n % NR_PAIRS);
        uint32_t place = permute_at(&places, n % NR_PLACES);

        if (b->client->quarantined || (n >= MIN_TRANSFERS && deadline_passed(deadline)))
            break;
        test_progress(b->t, n, nr);
        p.bytes = choose_bytes(b, n, &order);
        if (make_buffer(b, &p.buffer[FROM], FROM, pair / DMA_NR_ARENAS,
                        (enum dma_placement)(place / DMA_NR_PLACEMENTS), p.bytes) &&
            make_buffer(b, &p.buffer[TO], TO, pair % DMA_NR_ARENAS,
                        (enum dma_placement)(place % DMA_NR_PLACEMENTS), p.bytes))
            transfer(b, &p);
    }
}

static void rate_metric(struct client_bench *b, const char *how, const char *what, uint64_t bytes,
                        uint64_t ns)
{
    uint64_t us = ns / 1000;

    if (bytes && us)
        client_metric(b->t, b->client, bytes * 1000000 / us, "bytes", "%s_%s_per_second", how,
                      what);
}

static void give_metrics(struct client_bench *b, const char *how)
{
    client_metric(b->t, b->client, moved.done, "count", "%s_transfers", how);
    client_metric(b->t, b->client, moved.bounced[FROM], "count", "%s_from_bounced", how);
    client_metric(b->t, b->client, moved.bounced[TO], "count", "%s_to_bounced", how);
    rate_metric(b, how, "direct", moved.direct_bytes, moved.direct_ns);
    rate_metric(b, how, "bounced", moved.bounced_bytes, moved.bounced_ns);
}

static void check_end(struct client_bench *b)
{
    client_bench_check_end(b);
    TEST_CHECK(b->t, moved.done > 0, "%s: no transfer succeeded", b->client->name);
}

static void case_interrupt(struct test *t)
{
    struct client_bench *b = open_bench(t);
    const struct completion *c;

    if (!b)
        return;
    c = b->client->completion;
    if (!c || c->line == COMPLETION_NO_LINE) {
        test_skip(t, "%s has no interrupt line", b->client->name);
    } else {
        b->client->completion->by_interrupt = true;
        run_transfers(b);
        TEST_CHECK(t, c->interrupts - b->loan.interrupts_before >= moved.done,
                   "%u interrupts on line %u in %u transfers",
                   c->interrupts - b->loan.interrupts_before, c->line, moved.done);
        TEST_CHECK(t, c->lost == b->loan.lost_before, "%u interrupts of line %u were lost",
                   c->lost - b->loan.lost_before, c->line);
        give_metrics(b, "interrupt");
        client_metric(t, b->client, c->interrupts - b->loan.interrupts_before, "count",
                      "interrupts");
        client_metric(t, b->client, c->lost - b->loan.lost_before, "count", "interrupts_lost");
        check_end(b);
    }
    client_bench_close(b);
}

/* All but the first case ask, and differ in what the device is told of its own reach. */
static void run_asking(struct test *t, unsigned mask_bits, const char *how)
{
    struct client_bench *b = open_bench(t);

    if (!b)
        return;
    if (mask_bits && b->client->dev->dma_mask <= DMA_BIT_MASK(mask_bits)) {
        test_skip(t, "%s has no more than %u address bits", b->client->name, mask_bits);
    } else {
        if (mask_bits)
            TEST_CHECK(t, dma_set_mask(b->client->dev, DMA_BIT_MASK(mask_bits)) == 0,
                       "%s can't be told to use %u bits", b->client->name, mask_bits);
        if (b->client->completion)
            b->client->completion->by_interrupt = false;
        run_transfers(b);
        give_metrics(b, how);
        check_end(b);
    }
    client_bench_close(b);
}

static void case_asked(struct test *t)
{
    run_asking(t, 0, "asked");
}

static void case_mask_32(struct test *t)
{
    run_asking(t, 32, "mask_32");
}

static void case_mask_24(struct test *t)
{
    run_asking(t, 24, "mask_24");
}

static const struct test_case cases[] = {
    {"interrupt", case_interrupt},
    {"asked", case_asked},
    {"mask_32", case_mask_32},
    {"mask_24", case_mask_24},
};

SUITE(dma_loop) = {
    .name = "dma_loop",
    .rank = SUITE_RANK_STRESS,
    .about = "memory to memory through every device that sends into itself",
    .cases = cases,
    .nr_cases = ARRAY_SIZE(cases),
    .nr_instances = nr_loops,
    .instance_name = loop_name,
    .no_instance = "no device that sends into itself",
    .abandon = client_bench_abandon,
};
