/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/disk.h"
#include "drivers/ata_commands.h"
#include "drivers/clock.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"
#include "lib/x86/cpu.h"
#include "paging/page_alloc.h"
#include "paging/wait.h"

#define TRIAL_LIMIT_MS 2000u
#define INTERRUPT_TRIAL_LIMIT_MS 500u /* the sector is in the disk's cache by then */
#define TRANSFER_LIMIT_MS 5000u       /* the trial has woken the disk */
#define CLAIM_LIMIT_MS 15000u         /* another's transfer and the reset after it */

int disk_check_range(struct dma_client *client, uint64_t dev_offset, uint32_t bytes)
{
    if (bytes == 0 || bytes > client->max_bytes || (dev_offset | bytes) % DISK_SECTOR_BYTES ||
        bytes > client->size_bytes || dev_offset > client->size_bytes - bytes)
        return client_error(client, -EINVAL, "%u bytes at %llu are no sectors of this disk", bytes,
                            (unsigned long long)dev_offset);
    return 0;
}

int disk_map(struct dma_client *client, uint64_t dev_offset, struct page *page, uint32_t offset,
             uint32_t bytes, struct scatterlist *sg, unsigned max, unsigned *nents)
{
    int err = disk_check_range(client, dev_offset, bytes);
    unsigned nr_regions;

    if (err)
        return err;
    *nents = dma_split_sg(client->dev, sg, max, page, offset, bytes);
    if (*nents == 0)
        return client_error(client, -EINVAL, "%u bytes need more than %u regions", bytes, max);
    nr_regions = dma_map_sg(client->dev, sg, *nents, DMA_FROM_DEVICE);
    if (nr_regions == 0)
        return client_error(client, -ENOMEM, "mapping of %u bytes failed", bytes);
    return (int)nr_regions;
}

void disk_unmap(struct dma_client *client, struct scatterlist *sg, unsigned nents, int err)
{
    dma_unmap_sg_attrs(client->dev, sg, nents, DMA_FROM_DEVICE, err ? DMA_ATTR_SKIP_CPU_SYNC : 0);
}

static bool take(struct dma_client **owner, struct dma_client *client)
{
    struct dma_client *nobody = NULL;

    return __atomic_compare_exchange_n(owner, &nobody, client, false, __ATOMIC_ACQUIRE,
                                       __ATOMIC_RELAXED);
}

int disk_claim(struct dma_client **owner, struct dma_client *client)
{
    deadline_t deadline = deadline_in_ms(CLAIM_LIMIT_MS);

    wait_begins();
    while (!take(owner, client)) {
        const struct dma_client *other = __atomic_load_n(owner, __ATOMIC_RELAXED);

        if (deadline_passed(deadline)) {
            wait_ends();
            return client_error(client, -EBUSY, "in use by %s for %u ms",
                                other ? other->name : "one after the other", CLAIM_LIMIT_MS);
        }
        wait_yield();
        cpu_relax();
    }
    wait_ends();
    return 0;
}

void disk_unclaim(struct dma_client **owner)
{
    __atomic_store_n(owner, NULL, __ATOMIC_RELEASE);
}

/* One sector by DMA over its complement; `wanted` is what it should be. */
static int try_sector(struct dma_client *client, struct page *page, const uint8_t *wanted)
{
    uint8_t *found = page_address(page);
    int err;

    for (unsigned i = 0; i < DISK_SECTOR_BYTES; i++)
        found[i] = (uint8_t)~wanted[i];
    err = client->read(client, 0, page, 0, DISK_SECTOR_BYTES);
    if (!err && memcmp(wanted, found, DISK_SECTOR_BYTES) != 0)
        err = client_error(client, -EIO, "it read other data by DMA");
    return err;
}

static int try_both_ways(struct disk *disk, struct page *page, uint8_t *wanted)
{
    struct dma_client *client = &disk->client;
    struct completion *c = &disk->completion;
    int err = client->read_pio(client, 0, wanted, DISK_SECTOR_BYTES);

    c->by_interrupt = false;
    disk->limit_ms = TRIAL_LIMIT_MS;
    disk->is_readable = !err;
    if (!err)
        err = try_sector(client, page, wanted);
    if (err || c->line == COMPLETION_NO_LINE)
        return err;
    c->by_interrupt = true;
    disk->limit_ms = INTERRUPT_TRIAL_LIMIT_MS;
    err = try_sector(client, page, wanted);
    if (err == -ETIMEDOUT && c->interrupt_lost) {
        disk->silent_line = c->line;
        c->line = COMPLETION_NO_LINE;
        err = 0;
    }
    return err;
}

int disk_trial(struct disk *disk)
{
    uint8_t *wanted = __get_free_pages(GFP_KERNEL, 0);
    struct page *page = alloc_pages(GFP_KERNEL, 0);
    int err;

    disk->silent_line = COMPLETION_NO_LINE;
    if (wanted && page)
        err = try_both_ways(disk, page, wanted);
    else
        err = client_error(&disk->client, -ENOMEM, "no memory for a trial");
    disk->limit_ms = TRANSFER_LIMIT_MS;
    if (wanted)
        free_pages(wanted, 0);
    if (page)
        __free_pages(page, 0);
    return err;
}

void disk_trial_note(const struct disk *disk, char *note)
{
    if (disk->completion.line != COMPLETION_NO_LINE)
        format(note, DISK_NOTE_BYTES, ", IRQ %u", disk->completion.line);
    else if (disk->silent_line != COMPLETION_NO_LINE)
        format(note, DISK_NOTE_BYTES, ", no interrupt came on line %u", disk->silent_line);
    else
        format(note, DISK_NOTE_BYTES, ", no interrupt line");
}

const char *disk_trial_failure(const struct disk *disk)
{
    return disk->is_readable ? "DMA does not work here" : "can't be read";
}

const char *disk_medium(int sense)
{
    if (sense < 0)
        return "ATAPI, does not answer, not used";
    return sense == ATA_SENSE_NOT_READY ? "ATAPI, no medium" : "ATAPI with a medium, not used";
}
