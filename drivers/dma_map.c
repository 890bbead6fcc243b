/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/dma.h"
#include "drivers/bounce.h"
#include "drivers/dma_internal.h"
#include "drivers/dma_track.h"
#include "lib/crc32c.h"
#include "lib/errno.h"
#include "lib/inject.h"
#include "lib/string.h"
#include "paging/kmap_local.h"
#include "paging/page_alloc.h"

#define CALLER() __builtin_return_address(0)

bool dma_reaches(const struct device *dev, phys_addr_t phys, uint32_t size)
{
    if (phys_to_dma(phys) + size - 1 > dev->dma_mask && !inject(dma_ignore_mask, dma_bounce))
        return false;
    return !dma_crosses_boundary(dev, phys_to_dma(phys), size);
}

/* Calls `step` for each part of the buffer that lies in one page, with a window to it. */
static bool for_each_part(phys_addr_t phys, uint32_t size,
                          void (*step)(void *ctx, void *window, uint32_t bytes), void *ctx)
{
    while (size > 0) {
        uint32_t offset = offset_in_page(phys);
        uint32_t bytes = MIN(size, PAGE_SIZE - offset);
        uint8_t *page = kmap_local_page(phys_to_page(phys));

        if (!page)
            return false;
        step(ctx, page + offset, bytes);
        kunmap_local(page);
        phys += inject(bounce_repeat_page, dma_bounce) ? 0 : bytes;
        size -= bytes;
    }
    return true;
}

static void copy_in_step(void *ctx, void *window, uint32_t bytes)
{
    uint8_t **slot = ctx;

    memcpy(*slot, window, bytes);
    *slot += bytes;
}

static void copy_out_step(void *ctx, void *window, uint32_t bytes)
{
    uint8_t **slot = ctx;

    memcpy(window, *slot, bytes);
    *slot += bytes;
}

static void checksum_step(void *ctx, void *window, uint32_t bytes)
{
    uint32_t *crc = ctx;

    *crc = crc32c_update(*crc, window, bytes);
}

/* Part of a bounced mapping, from the buffer to the slots. */
static bool copy_in(struct device *dev, phys_addr_t phys, dma_addr_t dma, uint32_t size)
{
    uint8_t *slot = bounce_virt(dma);

    if (inject(bounce_skip_copy_to, dma_bounce))
        return true;
    dev->counters.bounced_bytes += size;
    return for_each_part(phys, size, copy_in_step, &slot);
}

/* The other way. */
static bool copy_out(struct device *dev, phys_addr_t phys, dma_addr_t dma, uint32_t size)
{
    uint8_t *slot = bounce_virt(dma);

    if (inject(bounce_skip_copy_from, dma_bounce))
        return true;
    dev->counters.bounced_bytes += size;
    return for_each_part(phys, size, copy_out_step, &slot);
}

static uint32_t checksum_of(phys_addr_t phys, uint32_t size)
{
    uint32_t crc = 0;

    for_each_part(phys, size, checksum_step, &crc);
    return crc;
}

/* The CPU got the buffer back: it should not have written to it while the device had it. */
static void check_untouched(const struct dma_mapping *m, const void *caller)
{
    if (m->dev->check_ownership && m->bounced && !m->cpu_owns &&
        checksum_of(m->phys, m->size) != m->checksum)
        dma_report(m->dev, DMA_FINDING_NOT_SYNCED, "0x%llx+%u changed before %p",
                   addr_number(m->phys), m->size, caller);
}

static void check_guards(const struct dma_mapping *m, const void *caller)
{
    if (m->bounced && !bounce_guards_intact(m->dma, m->size))
        dma_report(m->dev, DMA_FINDING_OVERRUN, "0x%llx+%u, seen by %p", addr_number(m->dma),
                   m->size, caller);
}

/* Gives a bounced mapping its slots and contents. Returns 0 or a negative errno, with no slots. */
static int bounce(struct dma_mapping *m)
{
    struct bounce_room room;
    int err = bounce_alloc(m->dev, m->phys, m->size, &room);

    if (err)
        return err;
    /* From-device too: what the device leaves alone must come back as it was. */
    if (!copy_in(m->dev, m->phys, room.dma, m->size)) {
        bounce_free(room.dma, m->size);
        return -ENOMEM;
    }
    m->dma = room.dma;
    m->bounced = true;
    if (m->dev->check_ownership)
        m->checksum = checksum_of(m->phys, m->size);
    return 0;
}

dma_addr_t dma_map_one(struct device *dev, phys_addr_t phys, uint32_t size,
                       enum dma_data_direction dir, unsigned long attrs, const void *caller)
{
    struct dma_mapping m = {
        .dev = dev,
        .phys = phys,
        .dma = phys_to_dma(phys),
        .size = size,
        .caller = caller,
        .dir = (uint8_t)dir,
        .kind = DMA_KIND_MAP,
    };

    if (size == 0 || (dev->max_segment_bytes && size > dev->max_segment_bytes) ||
        (unsigned)dir > DMA_FROM_DEVICE) {
        dma_report(dev, DMA_FINDING_BAD_ARGUMENT, "%u bytes (limit %u), direction %u, by %p", size,
                   dev->max_segment_bytes, (unsigned)dir, caller);
        dev->counters.errors++;
        return DMA_MAPPING_ERROR;
    }
    if (!dma_reaches(dev, phys, size) && bounce(&m) < 0) {
        dev->counters.errors++;
        return DMA_MAPPING_ERROR;
    }
    if (!dma_track_add(&m)) {
        if (m.bounced)
            bounce_free(m.dma, size);
        dev->counters.errors++;
        return DMA_MAPPING_ERROR;
    }
    dev->counters.maps++;
    if (m.bounced)
        dev->counters.bounced++;
    else
        dev->counters.direct++;
    return m.dma;
}

void dma_unmap_one(struct device *dev, dma_addr_t addr, uint32_t size, enum dma_data_direction dir,
                   unsigned long attrs, const void *caller)
{
    struct dma_mapping m;

    if (!dma_track_take(dev, addr, DMA_KIND_MAP, caller, &m))
        return;
    dev->counters.unmaps++;
    if (size != m.size)
        dma_report(dev, DMA_FINDING_WRONG_SIZE, "0x%llx unmapped as %u of %u bytes by %p",
                   addr_number(addr), size, m.size, caller);
    if (dir != m.dir)
        dma_report(dev, DMA_FINDING_WRONG_DIRECTION, "0x%llx is %s, unmapped %s by %p",
                   addr_number(addr), dma_direction_name(m.dir), dma_direction_name(dir), caller);
    if (!m.bounced)
        return;
    check_untouched(&m, caller);
    check_guards(&m, caller);
    if (m.dir != DMA_TO_DEVICE && !m.cpu_owns && !copy_out(dev, m.phys, m.dma, m.size))
        dev->counters.errors++;
    bounce_free(m.dma, m.size);
}

dma_addr_t dma_map_page(struct device *dev, struct page *page, uint32_t offset, uint32_t size,
                        enum dma_data_direction dir)
{
    return dma_map_one(dev, page_to_phys(page) + offset, size, dir, 0, CALLER());
}

dma_addr_t dma_map_single(struct device *dev, const void *ptr, uint32_t size,
                          enum dma_data_direction dir)
{
    return dma_map_one(dev, virt_to_phys(ptr), size, dir, 0, CALLER());
}

void dma_unmap_page(struct device *dev, dma_addr_t addr, uint32_t size, enum dma_data_direction dir)
{
    dma_unmap_one(dev, addr, size, dir, 0, CALLER());
}

void dma_unmap_single(struct device *dev, dma_addr_t addr, uint32_t size,
                      enum dma_data_direction dir)
{
    dma_unmap_one(dev, addr, size, dir, 0, CALLER());
}

/* The mapping that a sync names, or NULL after a finding. */
static struct dma_mapping *sync_target(struct device *dev, dma_addr_t addr, uint32_t size,
                                       enum dma_data_direction dir, const void *caller)
{
    struct dma_mapping *m = dma_track_find(dev, addr, caller);

    if (!m)
        return NULL;
    if (size == 0 || addr - m->dma + size > m->size) {
        dma_report(dev, DMA_FINDING_WRONG_SIZE, "0x%llx+%u synced past %u bytes by %p",
                   addr_number(addr), size, m->size, caller);
        return NULL;
    }
    if (dir != m->dir && m->dir != DMA_BIDIRECTIONAL) {
        dma_report(dev, DMA_FINDING_WRONG_DIRECTION, "0x%llx is %s, synced %s by %p",
                   addr_number(addr), dma_direction_name(m->dir), dma_direction_name(dir), caller);
        return NULL;
    }
    return m;
}

void dma_sync_one_for_cpu(struct device *dev, dma_addr_t addr, uint32_t size,
                          enum dma_data_direction dir, const void *caller)
{
    struct dma_mapping *m = sync_target(dev, addr, size, dir, caller);

    if (!m || !m->bounced)
        return;
    check_untouched(m, caller);
    if (dir != DMA_TO_DEVICE && !copy_out(dev, m->phys + (addr - m->dma), addr, size))
        dev->counters.errors++;
    /* A part is no more than a look: only the whole changes hands. */
    if (size == m->size)
        m->cpu_owns = true;
    else if (dev->check_ownership)
        m->checksum = checksum_of(m->phys, m->size);
}

void dma_sync_one_for_device(struct device *dev, dma_addr_t addr, uint32_t size,
                             enum dma_data_direction dir, const void *caller)
{
    struct dma_mapping *m = sync_target(dev, addr, size, dir, caller);

    if (!m || !m->bounced)
        return;
    if (!copy_in(dev, m->phys + (addr - m->dma), addr, size))
        dev->counters.errors++;
    m->cpu_owns = false;
    if (dev->check_ownership)
        m->checksum = checksum_of(m->phys, m->size);
}

void dma_sync_single_for_cpu(struct device *dev, dma_addr_t addr, uint32_t size,
                             enum dma_data_direction dir)
{
    dma_sync_one_for_cpu(dev, addr, size, dir, CALLER());
}

void dma_sync_single_for_device(struct device *dev, dma_addr_t addr, uint32_t size,
                                enum dma_data_direction dir)
{
    dma_sync_one_for_device(dev, addr, size, dir, CALLER());
}

/* The order of the block that coherent memory of `size` bytes is given, or more than MAX_ORDER. */
static unsigned coherent_order(uint32_t size)
{
    unsigned order = 0;

    while (order <= MAX_ORDER && size > PAGE_SIZE << order)
        order++;
    return order;
}

void *dma_alloc_coherent(struct device *dev, uint32_t size, dma_addr_t *handle)
{
    static const gfp_t zones[] = {GFP_KERNEL, GFP_DMA};
    unsigned order = coherent_order(size);

    for (unsigned i = 0; size > 0 && i < ARRAY_SIZE(zones); i++) {
        struct page *page = alloc_pages(zones[i] | __GFP_ZERO, order);
        struct dma_mapping m = {
            .dev = dev,
            .size = size,
            .caller = CALLER(),
            .dir = DMA_BIDIRECTIONAL,
            .kind = DMA_KIND_COHERENT,
        };

        if (!page)
            continue;
        m.phys = page_to_phys(page);
        m.dma = phys_to_dma(m.phys);
        if (dma_reaches(dev, m.phys, size) && dma_track_add(&m)) {
            *handle = m.dma;
            return page_address(page);
        }
        __free_pages(page, order);
    }
    dev->counters.errors++;
    return NULL;
}

void dma_free_coherent(struct device *dev, uint32_t size, void *ptr, dma_addr_t handle)
{
    const void *caller = CALLER();
    struct dma_mapping m;

    if (!dma_track_take(dev, handle, DMA_KIND_COHERENT, caller, &m))
        return;
    if (size != m.size || virt_to_phys(ptr) != m.phys)
        dma_report(dev, DMA_FINDING_WRONG_SIZE, "0x%llx freed as %u of %u bytes by %p",
                   addr_number(handle), size, m.size, caller);
    __free_pages(phys_to_page(m.phys), coherent_order(m.size));
}

unsigned dma_check_leaks(struct device *dev)
{
    struct dma_mapping m;
    unsigned leaks = 0;

    while (dma_track_take_any(dev, &m)) {
        leaks++;
        if (m.bounced)
            bounce_free(m.dma, m.size);
        dma_report(m.dev, DMA_FINDING_LEAK, "0x%llx+%u %s mapped by %p", addr_number(m.phys),
                   m.size, dma_direction_name(m.dir), m.caller);
    }
    return leaks;
}
