/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes by DMA to media that the boot option destructive= names, and to no others: sectors that
 * tell what they are, from every kind of memory, direct and bounced.
 *
 * What is written is told before it is, in lines that the runner reads: it compares the image byte
 * by byte afterwards, which no read on the machine itself could replace. On a machine without a
 * runner the read back by DMA to other memory must do. What was on the medium before is lost.
 */
#include "drivers/clock.h"
#include "drivers/transfer.h"
#include "lib/string.h"
#include "paging/highmem.h"
#include "paging/page_alloc.h"
#include "payload/suite.h"
#include "payload/tests/arena_check.h"
#include "payload/tests/client_bench.h"
#include "payload/tests/sector_pattern.h"

#define SECTOR SECTOR_PATTERN_BYTES
#define BUFFER_ORDER 2u
#define MAX_SECTORS ((PAGE_SIZE << BUFFER_ORDER) / SECTOR)
#define TRANSFERS 16u
#define MIN_TRANSFERS 4u /* one from each kind of memory, however slow the medium is */
#define CASE_LIMIT_MS 2000u
#define FULL_FACTOR 8u

/* What the suite holds. */
static struct page *back; /* below 16 MiB: what is read back */

static bool is_for_us(const struct dma_client *client)
{
    return client->write && client->granule_bytes == SECTOR;
}

static unsigned nr_media(void)
{
    return clients_that(is_for_us);
}

static const char *media_name(unsigned index)
{
    return client_that(is_for_us, index)->name;
}

static void give_back(void)
{
    if (back)
        __free_pages(back, BUFFER_ORDER);
    back = NULL;
}

static void abandon(void)
{
    client_bench_abandon();
    give_back();
}

/* Reads the sectors to other memory, and compares. */
static void check_medium(struct client_bench *b, uint64_t lba, uint32_t bytes)
{
    struct dma_client *client = b->client;
    const uint8_t *wanted = b->wanted;
    const uint8_t *found = page_address(back);
    uint32_t at = 0;
    int err;

    memset_page(back, 0, (uint8_t)~wanted[0], bytes);
    err = client_read(client, lba * SECTOR, back, 0, bytes);
    if (!TEST_CHECK(b->t, !err, "reading back %u bytes at %llu: error %d: %s", bytes,
                    (unsigned long long)(lba * SECTOR), -err, client->reason))
        return;
    while (at < bytes && found[at] == wanted[at])
        at++;
    TEST_CHECK(b->t, at == bytes, "sector %llu: byte %u is 0x%02x, not 0x%02x",
               (unsigned long long)lba + at / SECTOR, at % SECTOR, found[MIN(at, bytes - 1)],
               wanted[MIN(at, bytes - 1)]);
}

static void write_once(struct client_bench *b, unsigned kind)
{
    struct dma_client *client = b->client;
    struct prng *prng = test_prng(b->t);
    struct dma_arena *arena = &b->arena[0][kind];
    uint8_t *wanted = b->wanted;
    uint32_t sectors = 1 + prng_below(prng, MIN(MAX_SECTORS, client->max_bytes / SECTOR));
    uint32_t bytes = sectors * SECTOR;
    enum dma_placement where = (enum dma_placement)prng_below(prng, DMA_NR_PLACEMENTS);
    uint32_t offset = dma_arena_place(prng, where, bytes, client->align_bytes);
    uint64_t end = MIN(client->size_bytes, GIB64(1)) / SECTOR;
    uint64_t lba = prng_below(prng, (uint32_t)end - sectors + 1);
    int err;

    for (uint32_t i = 0; i < sectors; i++)
        sector_pattern_make((struct sector_pattern *)(wanted + i * SECTOR), lba + i,
                            SECTOR_PATTERN_WRITTEN);
    memcpy_to_page(arena->page, offset, wanted, bytes);
    test_log(b->t, "wrote %s: sectors %llu-%llu", client->name, (unsigned long long)lba,
             (unsigned long long)lba + sectors - 1);
    err = client_write(client, lba * SECTOR, arena->page, offset, bytes);
    TEST_CHECK(b->t, !err, "write of %u bytes at %llu from 0x%llx: error %d: %s", bytes,
               (unsigned long long)(lba * SECTOR), addr_number(arena->phys + offset), -err,
               client->reason);
    arena_check_contents(b->t, arena, offset, wanted, bytes, "the source of a write");
    dma_arena_paint(arena, offset, bytes);
    if (!err)
        check_medium(b, lba, bytes);
}

static void case_write(struct test *t)
{
    unsigned factor = test_depth(t) == DEPTH_FULL ? FULL_FACTOR : 1;
    unsigned count = TRANSFERS * factor;
    deadline_t deadline = deadline_in_ms(CASE_LIMIT_MS * factor);
    struct client_bench *b;

    b = client_bench_open(t, client_that(is_for_us, test_instance(t)), 1, BUFFER_ORDER);
    if (!b)
        return;
    back = alloc_pages(GFP_DMA, BUFFER_ORDER);
    if (!back)
        test_error(t, "no memory below 16 MiB for %u sectors", MAX_SECTORS);
    for (unsigned n = 0; n < count && back && !test_should_stop(t); n++) {
        if (n >= MIN_TRANSFERS && deadline_passed(deadline))
            break;
        test_progress(t, n, count);
        if (b->arena[0][n % DMA_NR_ARENAS].page)
            write_once(b, n % DMA_NR_ARENAS);
    }
    client_bench_check_end(b);
    test_log(t, "%s: %u mappings direct, %u bounced", b->client->name,
             b->client->dev->counters.direct - b->loan.before.direct,
             b->client->dev->counters.bounced - b->loan.before.bounced);
    client_bench_close(b);
    give_back();
}

static const struct test_case cases[] = {{"write", case_write}};

SUITE(media_write) = {
    .name = "media_write",
    .rank = SUITE_RANK_STRESS,
    .about = "writes to the media that destructive= names, told to the runner and read back",
    .cases = cases,
    .nr_cases = ARRAY_SIZE(cases),
    .abandon = abandon,
    .nr_instances = nr_media,
    .instance_name = media_name,
    .no_instance = "no medium that can be written to is named by destructive=",
};
