/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For tests of disk controllers whose disks never map anything (drivers/disk.h): every request is
 * in range, no DMA comes about, and nobody waits for a controller: it can be had, or not.
 */
#include "ci/unit/unit.h"
#include "drivers/disk.h"
#include "lib/errno.h"

int disk_check_range(struct dma_client *client, uint64_t dev_offset, uint32_t bytes)
{
    return 0;
}

int disk_map(struct dma_client *client, uint64_t dev_offset, struct page *page, uint32_t offset,
             uint32_t bytes, struct scatterlist *sg, unsigned max, unsigned *nents)
{
    return -ENOMEM;
}

void disk_unmap(struct dma_client *client, struct scatterlist *sg, unsigned nents, int err)
{
}

int disk_claim(struct dma_client **owner, struct dma_client *client)
{
    if (*owner)
        return -EBUSY;
    *owner = client;
    return 0;
}

void disk_unclaim(struct dma_client **owner)
{
    *owner = NULL;
}
