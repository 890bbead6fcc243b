/* SPDX-License-Identifier: BSD-2-Clause */
/* A device's limits, which drivers may change and ask for. */
#include "drivers/bounce.h"
#include "lib/errno.h"
#include "lib/inject.h"

/* What was decided by the old limits is decided anew at the next mapping. */
static void forget_quick(struct device *dev)
{
    if (inject(dma_keep_quick, dma_bounce))
        return;
    dev->quick_end = NULL;
    dev->quick_pool = NULL;
}

static bool is_mask(uint64_t mask)
{
    return mask != 0 && (mask & (mask + 1)) == 0;
}

static bool reaches_all(const struct device *dev)
{
    return dev->dma_mask >= phys_to_dma(pfn_to_phys(max_pfn)) - 1;
}

int dma_set_mask(struct device *dev, dma_addr_t mask)
{
    struct device other = {.dma_mask = mask, .segment_boundary_mask = dev->segment_boundary_mask};

    if (!is_mask(addr_number(mask)))
        return -EINVAL;
    if (!reaches_all(&other) && bounce_max_bytes(&other) == 0)
        return -EIO;
    if (dma_live_mappings(dev) > 0)
        return -EBUSY;
    dev->dma_mask = mask;
    forget_quick(dev);
    return 0;
}

int dma_set_max_seg_size(struct device *dev, uint32_t size)
{
    if (dma_live_mappings(dev) > 0)
        return -EBUSY;
    if (!inject(dma_keep_segment, dma_bounce))
        dev->max_segment_bytes = size;
    forget_quick(dev);
    return 0;
}

int dma_set_seg_boundary(struct device *dev, uint32_t boundary_mask)
{
    if (boundary_mask && !is_mask(boundary_mask))
        return -EINVAL;
    if (dma_live_mappings(dev) > 0)
        return -EBUSY;
    dev->segment_boundary_mask = boundary_mask;
    forget_quick(dev);
    return 0;
}

uint32_t dma_max_mapping_size(const struct device *dev)
{
    uint32_t limit = dev->max_segment_bytes ? dev->max_segment_bytes : UINT32_MAX;

    /* Even where all is reached, a buffer may cross a boundary, and bounces. */
    if (!reaches_all(dev) || dev->segment_boundary_mask)
        limit = MIN(limit, bounce_max_bytes(dev));
    return limit;
}
