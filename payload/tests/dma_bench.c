/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload/tests/dma_bench.h"
#include "lib/bitmap.h"
#include "lib/crc32c.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "paging/highmem.h"
#include "paging/page_alloc.h"
#include "payload/tests/dma_model.h"
#include "payload/tests/sector_pattern.h"

#define MAX_READ_AGAIN 3u
#define BUFFER_ORDER 5u /* DMA_BENCH_BYTES */

/* Static because of its size, and so that abandon finds it. */
static struct dma_bench bench;

/* The others are other suites' business. */
static bool is_read_from(const struct dma_client *client)
{
    return client->read;
}

/* With none there is one place, to be skipped. */
static unsigned nr_devices(void)
{
    return MAX(clients_that(is_read_from), 1u);
}

unsigned dma_bench_count(void)
{
    return nr_devices() + DMA_NR_MODELS;
}

const char *dma_bench_name(unsigned index)
{
    const struct dma_client *client = client_that(is_read_from, index);

    if (index >= nr_devices())
        return dma_model_name(index - nr_devices());
    return client ? client->name : "device";
}

/* The client of the running instance, or NULL after a skip or an error. */
static struct dma_client *open_client(struct test *t)
{
    unsigned index = test_instance(t);
    struct dma_client *client = client_that(is_read_from, index);

    if (client)
        return client;
    if (index < nr_devices()) {
        const struct probe_result *first = probe_result_at(0);

        test_skip(t, "no device to read from (%s: %s)", first ? first->driver : "drivers",
                  first ? first->text : "nothing probed");
        return NULL;
    }
    client = dma_model_open(index - nr_devices());
    if (!client)
        test_error(t, "no memory for the model device");
    return client;
}

void dma_bench_close(struct dma_bench *b)
{
    struct dma_client *client = b->client;

    /* Before its memory is anybody else's. */
    client_give_back(&b->loan);
    dma_arenas_close(b->arena);
    if (b->far)
        __free_pages(b->far, BUFFER_ORDER);
    if (b->wanted)
        free_pages(b->wanted, BUFFER_ORDER);
    if (b->shadow)
        free_pages(b->shadow, BUFFER_ORDER);
    if (client && b->is_model)
        dma_model_close(client);
    b->far = NULL;
    b->wanted = b->shadow = NULL;
    b->client = NULL;
}

void dma_bench_abandon(void)
{
    clients_abandon();
    dma_bench_close(&bench);
}

struct dma_bench *dma_bench_open(struct test *t)
{
    struct dma_bench *b = &bench;

    memset(b, 0, sizeof(*b));
    b->t = t;
    b->client = open_client(t);
    if (!b->client)
        return NULL;
    if (!client_borrow(t, &b->loan, b->client))
        return NULL;
    b->is_model = test_instance(t) >= nr_devices();
    b->far = alloc_pages(GFP_DMA, BUFFER_ORDER);
    b->wanted = __get_free_pages(GFP_KERNEL, BUFFER_ORDER);
    b->shadow = __get_free_pages(GFP_KERNEL, BUFFER_ORDER);
    if (!b->far || !b->wanted || !b->shadow || dma_arenas_open(b->arena, test_prng(t)) == 0) {
        test_error(t, "no memory for buffers of %u bytes", DMA_BENCH_BYTES);
        dma_bench_close(b);
        return NULL;
    }
    return b;
}

void dma_bench_randomise(struct prng *prng, uint8_t *to, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++)
        to[i] = (uint8_t)(prng_u32(prng) >> 24);
}

/*
 * A medium may have bad places, which is no fault of the memory or the DMA: the first is told, and
 * all are stepped over. `confirmed`: the processor can't read it either. With nobody to confirm it,
 * the test has not done its work.
 */
static void step_over(struct dma_bench *b, uint64_t dev_offset, uint32_t bytes, bool confirmed)
{
    if (b->bad_ranges++ > 0)
        return;
    if (confirmed)
        test_log(b->t, "%s: no medium at %llu+%u, stepped over: %s", b->client->name,
                 (unsigned long long)dev_offset, bytes, b->client->reason);
    else
        test_error(b->t, "%s can't read %u bytes at %llu: %s", b->client->name, bytes,
                   (unsigned long long)dev_offset, b->client->reason);
}

/* The drive says: a bad place, or no disk any more. That is not what this suite is about. */
static bool is_medium_error(const struct dma_client *client, int err)
{
    return !client->quarantined && (err == -EIO || err == -ENXIO);
}

bool dma_bench_is_bad_medium(struct dma_bench *b, uint64_t dev_offset, uint32_t bytes, int err)
{
    struct dma_client *client = b->client;

    if (!is_medium_error(client, err) || b->reference == DMA_REFERENCE_SHADOW)
        return false;
    if (client->read_pio) {
        char reason[DMA_CLIENT_REASON_BYTES];

        memcpy(reason, client->reason, sizeof(reason));
        if (!is_medium_error(client, client_read_pio(client, dev_offset, b->wanted, bytes))) {
            memcpy(client->reason, reason, sizeof(reason));
            return false;
        }
    }
    step_over(b, dev_offset, bytes, client->read_pio != NULL);
    return true;
}

int dma_bench_read_again(struct dma_bench *b, uint64_t dev_offset, struct page *page,
                         uint32_t offset, uint32_t bytes, int err)
{
    struct dma_client *client = b->client;
    char reason[DMA_CLIENT_REASON_BYTES];

    if (!is_medium_error(client, err) ||
        (b->nr_again > MAX_READ_AGAIN && b->nr_again > b->nr_done / 2))
        return err;
    memcpy(reason, client->reason, sizeof(reason));
    err = client_read(client, dev_offset, page, offset, bytes);
    if (err)
        return err;
    if (b->nr_again++ > 0)
        return 0;
    test_log(b->t, "%s: %u bytes at %llu came the second time only: %s", client->name, bytes,
             (unsigned long long)dev_offset, reason);
    return 0;
}

static void note_sectors(struct dma_bench *b, uint32_t bytes)
{
    for (uint32_t at = 0; at + SECTOR_PATTERN_BYTES <= bytes; at += SECTOR_PATTERN_BYTES) {
        uint32_t bit =
            crc32c_update(0, b->wanted + at, SECTOR_PATTERN_BYTES) >> (32 - DMA_BENCH_CRC_BITS);

        b->nr_sectors++;
        if (!bitmap_test(b->seen_crc, bit))
            b->nr_distinct++;
        bitmap_set(b->seen_crc, bit);
    }
}

static int get_reference(struct dma_bench *b, uint64_t dev_offset, uint32_t bytes)
{
    struct dma_client *client = b->client;
    int err = 0;

    switch (b->reference) {
    case DMA_REFERENCE_SHADOW:
        memcpy(b->wanted, b->shadow + (uint32_t)dev_offset, bytes);
        break;
    case DMA_REFERENCE_PATTERN:
        for (uint32_t i = 0; i < bytes; i += SECTOR_PATTERN_BYTES)
            sector_pattern_make((struct sector_pattern *)(b->wanted + i),
                                (dev_offset + i) / SECTOR_PATTERN_BYTES, b->image_id);
        break;
    case DMA_REFERENCE_PIO:
        err = client_read_pio(client, dev_offset, b->wanted, bytes);
        break;
    case DMA_REFERENCE_DMA:
        err = client_read(client, dev_offset, b->far, 0, bytes);
        memcpy_from_page(b->wanted, b->far, 0, bytes);
        break;
    }
    return err;
}

int dma_bench_make_reference(struct dma_bench *b, uint64_t dev_offset, uint32_t bytes)
{
    struct dma_client *client = b->client;
    int err;

    /* One that hangs is out before the next case would wait for it. */
    do {
        err = get_reference(b, dev_offset, bytes);
    } while (err == -ETIMEDOUT && !client->quarantined);
    if (is_medium_error(client, err))
        step_over(b, dev_offset, bytes, b->reference == DMA_REFERENCE_PIO);
    else if (client->quarantined)
        test_fail(b->t, "%s is out of use: %s", client->name, client->reason);
    else if (err == -EPROTO)
        test_fail(b->t, "reference of %u bytes at %llu: error %d: %s", bytes,
                  (unsigned long long)dev_offset, -err, client->reason);
    else if (err)
        test_error(b->t, "reference of %u bytes at %llu: error %d: %s", bytes,
                   (unsigned long long)dev_offset, -err, client->reason);
    else if (b->reference == DMA_REFERENCE_PIO || b->reference == DMA_REFERENCE_DMA)
        note_sectors(b, bytes);
    return err;
}

bool dma_bench_choose_reference(struct dma_bench *b)
{
    static const char *const names[] = {
        [DMA_REFERENCE_SHADOW] = "what was written to the device before",
        [DMA_REFERENCE_PATTERN] = "the known sectors of the image",
        [DMA_REFERENCE_PIO] = "a read by the processor",
        [DMA_REFERENCE_DMA] = "a DMA to memory that the device reaches",
    };
    struct dma_client *client = b->client;
    const struct sector_pattern *first = (const struct sector_pattern *)b->wanted;
    int err;

    if (client->write && client->size_bytes <= DMA_BENCH_BYTES) {
        b->reference = DMA_REFERENCE_SHADOW;
        dma_bench_randomise(test_prng(b->t), b->shadow, (uint32_t)client->size_bytes);
        memcpy_to_page(b->far, 0, b->shadow, (uint32_t)client->size_bytes);
        /* One that hangs is out before the next case would wait for it. */
        do {
            err = client_write(client, 0, b->far, 0, (uint32_t)client->size_bytes);
        } while (err == -ETIMEDOUT && !client->quarantined);
        if (err) {
            test_fail(b->t, "filling the device: error %d: %s", -err, client->reason);
            return false;
        }
    } else {
        b->reference = client->read_pio ? DMA_REFERENCE_PIO : DMA_REFERENCE_DMA;
        if (client->granule_bytes == SECTOR_PATTERN_BYTES) {
            err = dma_bench_make_reference(b, 0, SECTOR_PATTERN_BYTES);
            if (err && !is_medium_error(client, err))
                return false;
            if (!err && sector_pattern_is(first, &b->image_id))
                b->reference = DMA_REFERENCE_PATTERN;
        }
    }
    if (b->reference == DMA_REFERENCE_PIO && client->pio_by_adapter)
        test_log(b->t, "%s is compared with PIO reads that its adapter puts into one low page",
                 client->name);
    else
        test_log(b->t, "%s is compared with %s", client->name, names[b->reference]);
    return true;
}

void dma_bench_judge_media(struct dma_bench *b)
{
    if (b->reference == DMA_REFERENCE_PIO || b->reference == DMA_REFERENCE_DMA)
        test_log(b->t, "%s: %u of %u sectors compared were distinct", b->client->name,
                 b->nr_distinct, b->nr_sectors);
    if (b->bad_ranges > 1)
        test_log(b->t, "%s: %u ranges of the medium can't be read", b->client->name, b->bad_ranges);
    if (b->nr_again > 1)
        test_log(b->t, "%s: %u reads came the second time only", b->client->name, b->nr_again);
    if (b->bad_ranges > 0 && b->nr_done == 0)
        test_error(b->t, "%s: nothing of the medium can be read: %s", b->client->name,
                   b->client->reason);
}
