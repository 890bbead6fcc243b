/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What every driver of a DMA client keeps to, one device after the other.
 *
 * What can break on a real machine: firmware leaves a device with its interrupts disabled in the
 * command register, and its line seems to be dead; a device drops address bits that its driver did
 * not check, and writes in front of a buffer. In a driver: it looks at its buffer, or changes it,
 * while the device owns it, which a bounced buffer hides and a direct one loses now and then.
 *
 * How: each device does what it can (reads, loops, sends, captures) with the mapping API watching
 * who touches the buffers, which the other suites do without, for it costs a pass over each buffer;
 * by interrupt, after PCI_COMMAND_INTX_DISABLE was set as firmware may leave it; and is asked for
 * what it must refuse.
 *
 * How a break shows: the API's finding with the code that touched the buffer, the interrupts that
 * did not come, what was not refused.
 */
#include "drivers/pci.h"
#include "drivers/transfer.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "paging/highmem.h"
#include "payload/suite.h"
#include "payload/tests/arena_check.h"
#include "payload/tests/client_bench.h"
#include "payload/tests/client_transfer.h"

#define BUFFER_ORDER 2u
#define BUFFER_BYTES (PAGE_SIZE << BUFFER_ORDER)
#define SLOW_COST_MS 10u /* a transfer of such a device has a few pages at most */
#define SLOW_BYTES (2 * PAGE_SIZE)
#define CASE_COST_MS 400u
#define MIN_TRANSFERS 4u
#define MAX_TRANSFERS 16u
#define FULL_FACTOR 8u
#define INTERRUPTS_WANTED 3u

static unsigned nr_clients(void)
{
    return dma_client_count();
}

static const char *client_name(unsigned index)
{
    return dma_client_at(index)->name;
}

/* Nothing is written to a device here. */
static bool can(const struct dma_client *client, enum operation op)
{
    return op != OP_WRITE && client_can(client, op);
}

/* From now on the API watches who touches the buffers. */
static void watch(struct device *dev)
{
    dev->check_ownership = true;
    dma_set_mask(dev, dev->dma_mask); /* or it would not look before its next slow mapping */
}

static struct client_bench *open_bench(struct test *t)
{
    return client_bench_open(t, dma_client_at(test_instance(t)), 2, BUFFER_ORDER);
}

static uint32_t granule_of(const struct dma_client *client)
{
    return MAX(client->granule_bytes, 1u);
}

static uint32_t most_of(const struct dma_client *client, enum operation op)
{
    uint32_t most = op == OP_LOOP ? client->loop_max : client->max_bytes;

    if (op == OP_READ && client->size_bytes < most)
        most = (uint32_t)client->size_bytes;
    most = MIN(most, client->cost_ms >= SLOW_COST_MS ? SLOW_BYTES : BUFFER_BYTES);
    if (op == OP_WORK)
        most = MIN(most, BUFFER_BYTES / 2); /* what was given and what came, side by side */
    return MAX(most - most % granule_of(client), granule_of(client));
}

/* The arena of a kind, or of the next that this machine has. */
static struct dma_arena *arena_of(struct dma_arena *arenas, unsigned kind)
{
    while (!arenas[kind % DMA_NR_ARENAS].page)
        kind++;
    return &arenas[kind % DMA_NR_ARENAS];
}

/* Every other buffer is as large as it can be and begins with a page: whole pages are watched
 * better than parts. */
static uint32_t choose_offset(struct client_bench *b, uint32_t bytes, bool whole)
{
    const struct dma_client *client = b->client;
    enum dma_placement where = (enum dma_placement)prng_below(test_prng(b->t), DMA_NR_PLACEMENTS);

    if (whole)
        return 2 * PAGE_SIZE;
    return dma_arena_place(test_prng(b->t), where, bytes + client->loop_tail,
                           MAX(client->align_bytes, 1u));
}

static void make_plan(struct client_bench *b, uint32_t n, enum operation op,
                      struct client_transfer *p)
{
    const struct dma_client *client = b->client;
    struct prng *prng = test_prng(b->t);
    uint32_t granule = granule_of(client), most = most_of(client, op);
    uint32_t least = op == OP_LOOP ? client->loop_min : granule;
    bool whole = n % 2 == 0;

    p->op = op;
    p->bytes = whole ? most : least + prng_below(prng, (most - least) / granule + 1) * granule;
    p->from = arena_of(b->arena[0], n / 2);
    p->arena = arena_of(b->arena[1], n / 2 + prng_below(prng, DMA_NR_ARENAS));
    p->from_offset = choose_offset(b, p->bytes, whole);
    p->offset = choose_offset(b, p->bytes, whole);
    p->dev_offset = 0;
    if (op == OP_READ && client->size_bytes > BUFFER_BYTES)
        p->dev_offset = (uint64_t)prng_below(prng, BUFFER_BYTES / granule) * granule;
    if (p->dev_offset + p->bytes > client->size_bytes)
        p->dev_offset = 0;
}

/*
 * What should come, and what is in the buffer before it does. A read is compared with another one,
 * and what is recorded with nothing. Sound that is sent is silence.
 */
static int prepare(struct client_bench *b, const struct client_transfer *p)
{
    struct prng *prng = test_prng(b->t);
    struct client_transfer first = *p;
    int err = 0;

    memset(b->wanted, 0, p->bytes);
    if (p->op == OP_READ) {
        first.arena = p->from;
        first.offset = p->from_offset;
        err = client_transfer(b->client, &first);
        memcpy_from_page(b->wanted, p->from->page, p->from_offset, p->bytes);
    }
    if (p->op == OP_LOOP) {
        for (uint32_t i = 0; i < p->bytes; i++)
            b->wanted[i] = (uint8_t)(prng_u32(prng) >> 24);
        memcpy_to_page(p->from->page, p->from_offset, b->wanted, p->bytes);
    }
    if (p->op == OP_WORK) {
        b->client->work_fill(b->wanted, p->bytes, prng_u32(prng));
        memcpy_to_page(p->arena->page, p->offset, b->wanted, p->bytes);
        return 0;
    }
    memset_page(p->arena->page, p->offset, p->op == OP_SEND ? 0 : (uint8_t)~b->wanted[0], p->bytes);
    return err;
}

static unsigned long long address(const struct client_transfer *p)
{
    return addr_number(p->arena->phys + p->offset);
}

static bool check_work(struct client_bench *b, const struct client_transfer *p)
{
    uint8_t *found = b->wanted + BUFFER_BYTES / 2;
    int32_t at;

    memcpy_from_page(found, p->arena->page, p->offset, p->bytes);
    at = b->client->work_check(b->wanted, found, p->bytes);
    return TEST_CHECK(b->t, at < 0, "0x%llx+%u: byte %d is 0x%02x, was given as 0x%02x", address(p),
                      p->bytes, at, found[MAX(at, 0)], b->wanted[MAX(at, 0)]);
}

/* False if it failed. */
static bool transfer(struct client_bench *b, const struct client_transfer *p)
{
    int err = prepare(b, p);

    if (!err)
        err = client_transfer(b->client, p);
    if (!TEST_CHECK(b->t, err == 0, "%u bytes at 0x%llx: error %d: %s", p->bytes, address(p), -err,
                    b->client->reason))
        return false;
    if (p->op == OP_CAPTURE)
        return true;
    if (p->op == OP_WORK)
        return check_work(b, p);
    return arena_check_contents(b->t, p->arena, p->offset, b->wanted, p->bytes,
                                operation_name(p->op));
}

static uint32_t nr_transfers(const struct client_bench *b)
{
    uint32_t nr = CASE_COST_MS / MAX(b->client->cost_ms, 1u);

    nr = MIN(MAX(nr, MIN_TRANSFERS), MAX_TRANSFERS);
    return test_depth(b->t) == DEPTH_FULL ? nr * FULL_FACTOR : nr;
}

/* Whoever touches what the device owns is found by the API, which fails the case. */
static void case_owned(struct test *t)
{
    struct client_bench *b = open_bench(t);
    struct client_transfer p;

    if (!b)
        return;
    watch(b->client->dev);
    for (enum operation op = 0; op < NR_OPERATIONS; op++) {
        for (uint32_t n = 0; n < nr_transfers(b) && can(b->client, op); n++) {
            if (test_should_stop(t) || b->client->quarantined)
                break;
            if (b->client->completion)
                b->client->completion->by_interrupt = n / 2 % 2 == 0;
            make_plan(b, n, op, &p);
            transfer(b, &p);
        }
    }
    TEST_CHECK(t, dma_check_leaks(b->client->dev) == 0, "%s: mappings were leaked",
               b->client->name);
    client_bench_close(b);
}

/* The interrupts of one device whose firmware left them disabled. */
static void check_silenced(struct client_bench *b, const struct pci_device *pdev)
{
    const struct completion *c = b->client->completion;
    uint32_t came = c->interrupts, lost = c->lost;
    uint16_t command;
    struct client_transfer p;

    b->client->completion->by_interrupt = true;
    for (uint32_t n = 0; n < INTERRUPTS_WANTED; n++) {
        enum operation op = 0;

        while (!can(b->client, op))
            op++;
        make_plan(b, n, op, &p);
        if (!transfer(b, &p))
            return;
    }
    command = pci_read_config16(pdev, PCI_COMMAND);
    TEST_CHECK(b->t, c->lost == lost && c->interrupts - came >= INTERRUPTS_WANTED,
               "%u interrupts on line %u in %u transfers, %u lost", c->interrupts - came, c->line,
               INTERRUPTS_WANTED, c->lost - lost);
    TEST_CHECK(b->t, command & PCI_COMMAND_INTX_DISABLE, "command register left as 0x%04x",
               command);
}

static void case_silenced(struct test *t)
{
    const struct dma_client *client = dma_client_at(test_instance(t));
    const struct completion *c = client->completion;
    const struct pci_device *pdev = pci_device_of(client->dev);
    struct client_bench *b;
    uint16_t before;

    if (!pdev || !c || c->line == COMPLETION_NO_LINE || c->lost) {
        test_skip(t, "%s has no interrupt of a PCI function", client->name);
        return;
    }
    b = open_bench(t);
    if (!b)
        return;
    before = pci_enable(pdev, PCI_COMMAND_INTX_DISABLE);
    if (pci_read_config16(pdev, PCI_COMMAND) & PCI_COMMAND_INTX_DISABLE)
        check_silenced(b, pdev);
    else
        test_skip(t, "%s: its command register has no such bit (PCI 2.2)", client->name);
    pci_restore_command(pdev, before);
    client_bench_close(b);
}

static void check_refused(struct client_bench *b, const struct client_transfer *p, const char *what)
{
    int err = client_transfer(b->client, p);

    TEST_CHECK(b->t, err == -EINVAL, "%s: error %d, not %d", what, -err, EINVAL);
    TEST_CHECK(b->t, dma_live_mappings(b->client->dev) == 0, "%s: %u mappings left", what,
               dma_live_mappings(b->client->dev));
}

static void check_refusals(struct client_bench *b, enum operation op)
{
    const struct dma_client *client = b->client;
    struct client_transfer good, p;

    make_plan(b, 0, op, &good);
    if (client->align_bytes > 1) {
        p = good;
        p.offset++;
        check_refused(b, &p, "a misaligned buffer");
        p = good;
        p.from_offset++;
        if (op == OP_LOOP)
            check_refused(b, &p, "a misaligned source");
    }
    p = good;
    p.bytes = op == OP_LOOP ? client->loop_max + 1 : client->max_bytes + granule_of(client);
    check_refused(b, &p, "too many bytes");
    p = good;
    p.bytes = 0;
    check_refused(b, &p, "no bytes");
    p = good;
    p.dev_offset = client->size_bytes;
    if (op == OP_READ)
        check_refused(b, &p, "bytes past the device's last");
    p = good;
    p.offset = 0;
    if (op == OP_LOOP && client->loop_head > 0)
        check_refused(b, &p, "no room in front of the buffer");
}

static void case_refused(struct test *t)
{
    struct client_bench *b = open_bench(t);

    if (!b)
        return;
    for (enum operation op = 0; op < NR_OPERATIONS; op++) {
        if (can(b->client, op))
            check_refusals(b, op);
    }
    client_bench_close(b);
}

/* Or nobody who reads the results knows which one is bad. */
static void case_name(struct test *t)
{
    const struct dma_client *client = dma_client_at(test_instance(t));

    for (unsigned i = 0; i < dma_client_count(); i++) {
        const struct dma_client *other = dma_client_at(i);

        TEST_CHECK(t, other == client || strcmp(other->name, client->name) != 0,
                   "two devices are called %s", client->name);
    }
}

static const struct test_case cases[] = {
    {"name", case_name},
    {"refused", case_refused},
    {"silenced", case_silenced},
    {"owned", case_owned},
};

SUITE(dma_rules) = {
    .name = "dma_rules",
    .rank = SUITE_RANK_STRESS,
    .about = "drivers leave their buffers to the device, and refuse what it can't do",
    .cases = cases,
    .nr_cases = ARRAY_SIZE(cases),
    .nr_instances = nr_clients,
    .instance_name = client_name,
    .no_instance = "no device that moves data",
    .abandon = client_bench_abandon,
};
