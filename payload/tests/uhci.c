/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A UHCI controller reads and writes transfer descriptors in every kind of memory.
 *
 * Each descriptor is random where it may be, and addressed to a device that does not exist. What
 * the controller makes of it follows from what it read (3.2.2 of the design guide): those that are
 * active time out and are written back so, with the caller's control bits in the same word; the
 * others are passed over and keep every bit. So each word says whether the right one was read and
 * the right one written, direct or bounced, and all around must be as it was.
 */
#include "drivers/uhci.h"
#include "lib/string.h"
#include "paging/highmem.h"
#include "payload/suite.h"
#include "payload/tests/client_bench.h"

#define ROUNDS 6u /* in each kind of memory, half of them by interrupt */
#define FULL_FACTOR 8u
#define ADDRESS_BITS 32
#define NR_FRAMES 1024u

static struct uhci_td before[UHCI_MAX_TDS], after[UHCI_MAX_TDS];

static void check_td(struct test *t, phys_addr_t phys, const struct uhci_td *was,
                     const struct uhci_td *is)
{
    struct uhci_td wanted = uhci_td_outcome(was, is);

    TEST_CHECK(t, is->link == was->link && is->token == was->token && is->buffer == was->buffer,
               "0x%llx: link 0x%08x, token 0x%08x, buffer 0x%08x were changed to 0x%08x, 0x%08x, "
               "0x%08x",
               addr_number(phys), was->link, was->token, was->buffer, is->link, is->token,
               is->buffer);
    TEST_CHECK(t, is->status == wanted.status, "0x%llx: status 0x%08x became 0x%08x, not 0x%08x",
               addr_number(phys), was->status, is->status, wanted.status);
}

/* False if there is no use in another. */
static bool run_once(struct client_bench *b, struct uhci *hc, unsigned kind, bool by_interrupt)
{
    struct test *t = b->t;
    struct prng *prng = test_prng(t);
    struct dma_arena *arena = &b->arena[0][kind];
    struct dma_client *client = b->client;
    struct dma_counters was = client->dev->counters;
    unsigned count = 1 + prng_below(prng, UHCI_MAX_TDS);
    uint32_t bytes = count * UHCI_TD_BYTES;
    enum dma_placement where = (enum dma_placement)prng_below(prng, DMA_NR_PLACEMENTS);
    uint32_t offset = dma_arena_place(prng, where, bytes, UHCI_TD_BYTES);
    phys_addr_t phys = arena->phys + offset;
    const char *what = NULL;
    int err;

    for (unsigned i = 0; i < count; i++)
        before[i] = uhci_td_draw(prng);
    memcpy_to_page(arena->page, offset, before, bytes);
    client->completion->by_interrupt = by_interrupt;
    uhci_begin_at(hc, prng_below(prng, NR_FRAMES));
    err = client_work(client, arena->page, offset, bytes);
    TEST_CHECK(t, !err, "%u descriptors at 0x%llx, %s: error %d: %s", count, addr_number(phys),
               by_interrupt ? "by interrupt" : "by asking", -err, client->reason);
    memcpy_from_page(after, arena->page, offset, bytes);
    for (uint32_t at = 0; at < bytes && !err; at += UHCI_TD_BYTES)
        check_td(t, phys + at, &before[at / UHCI_TD_BYTES], &after[at / UHCI_TD_BYTES]);
    if (!err)
        client_check_reach(t, client, &was, phys, bytes);
    /* Of one in quarantine nobody knows what its registers are. */
    TEST_CHECK(t, client->quarantined || uhci_is_restored(hc, &what), "the controller %s", what);
    TEST_CHECK(t, dma_check_leaks(client->dev) == 0, "mappings were leaked");
    dma_arena_paint(arena, offset, bytes);
    return !err;
}

/* With a controller of `mask_bits` address bits. */
static void run_descriptors(struct test *t, unsigned mask_bits)
{
    unsigned rounds = ROUNDS * (test_depth(t) == DEPTH_FULL ? FULL_FACTOR : 1);
    struct uhci *hc = uhci_at(test_instance(t));
    struct client_bench *b = client_bench_open(t, uhci_client(hc), 1, 0);
    const struct dma_client *client;
    bool fine = true;

    if (!b)
        return;
    client = b->client;
    TEST_CHECK(t, dma_set_mask(client->dev, DMA_BIT_MASK(mask_bits)) == 0,
               "%s can't be told to use %u bits", client->name, mask_bits);
    for (unsigned n = 0; n < rounds * DMA_NR_ARENAS && fine && !test_should_stop(t); n++) {
        test_progress(t, n, rounds * DMA_NR_ARENAS);
        if (b->arena[0][n % DMA_NR_ARENAS].page)
            fine = run_once(b, hc, n % DMA_NR_ARENAS, n / DMA_NR_ARENAS % 2);
    }
    client_bench_check_end(b);
    test_log(t, "%u interrupts, %u queues advanced", client->completion->interrupts,
             uhci_advanced(hc));
    client_metric(t, client, client->dev->counters.direct - b->loan.before.direct, "count",
                  "mask_%u_direct", mask_bits);
    client_metric(t, client, client->dev->counters.bounced - b->loan.before.bounced, "count",
                  "mask_%u_bounced", mask_bits);
    client_bench_close(b);
}

static void case_descriptors(struct test *t)
{
    run_descriptors(t, ADDRESS_BITS);
}

/* As if it stood behind an ISA bridge: what lies from 16 MiB on must bounce. */
static void case_mask_24(struct test *t)
{
    run_descriptors(t, 24);
}

static const char *controller_name(unsigned index)
{
    return uhci_client(uhci_at(index))->name;
}

static const struct test_case cases[] = {{"descriptors", case_descriptors},
                                         {"mask_24", case_mask_24}};

SUITE(uhci) = {
    .name = "uhci",
    .rank = SUITE_RANK_STRESS,
    .about = "USB host controllers read and write descriptors in all memory, with no USB involved",
    .cases = cases,
    .nr_cases = ARRAY_SIZE(cases),
    .abandon = client_bench_abandon,
    .nr_instances = uhci_count,
    .instance_name = controller_name,
    .no_instance = "no UHCI controller that is nobody's",
};
