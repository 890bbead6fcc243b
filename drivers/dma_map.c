/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/bounce.h"
#include "drivers/bounce_copy.h"
#include "drivers/dma_guard.h"
#include "drivers/dma_internal.h"
#include "drivers/dma_track.h"
#include "lib/crc32c.h"
#include "lib/errno.h"
#include "lib/inject.h"

#define CALLER() __builtin_return_address(0)

bool dma_reaches(const struct device *dev, phys_addr_t phys, uint32_t size)
{
    dma_addr_t last = phys_to_dma(phys) + size - 1;

    if (inject(dma_mask_off_by_one, dma_bounce))
        last--;
    if (last > dev->dma_mask && !inject(dma_ignore_mask, dma_bounce))
        return false;
    return !dma_crosses_boundary(dev, phys_to_dma(phys), size);
}

static void checksum_step(void *ctx, void *window, uint32_t bytes)
{
    uint32_t *crc = ctx;

    *crc = crc32c_update(*crc, window, bytes);
}

static uint32_t checksum_of(const struct dma_mapping *m)
{
    uint32_t crc = 0;

    bounce_for_each_part(m->phys, m->size, checksum_step, &crc);
    return crc;
}

static struct bounced bounced_of(const struct dma_mapping *m)
{
    return (struct bounced){
        .dev = m->dev, .phys = m->phys, .slot = phys_to_virt(dma_to_phys(m->dma)), .size = m->size};
}

/* True if the buffer's contents must not change while the device has it. */
static bool is_checked(const struct dma_mapping *m)
{
    return m->dev->check_ownership && (m->bounced || m->dir == DMA_TO_DEVICE);
}

/* The device has it from here on. */
static void note_contents(struct dma_mapping *m)
{
    if (is_checked(m))
        m->checksum = checksum_of(m);
}

/* The CPU should not have written to a buffer that it gets back now. */
static void check_untouched(const struct dma_mapping *m, const void *caller)
{
    if (is_checked(m) && !inject(dma_skip_checksum, dma_bounce) && m->nr_cpu == 0 && !m->intruder &&
        checksum_of(m) != m->checksum)
        dma_report(m->dev, DMA_FINDING_NOT_SYNCED, "0x%llx+%u changed unsynced, seen by %p",
                   addr_number(m->phys), m->size, caller);
}

static void check_guards(const struct dma_mapping *m, const struct bounced *b, const void *caller)
{
    if (m->dir != DMA_TO_DEVICE && !bounce_guards_intact(b))
        dma_report(m->dev, DMA_FINDING_OVERRUN, "0x%llx+%u mapped by %p, seen by %p",
                   addr_number(m->dma), m->size, m->caller, caller);
}

/* Tiny buffers have no room for a mark, and keep their contents instead. */
static bool has_marks(const struct dma_mapping *m)
{
    return m->dir == DMA_FROM_DEVICE && m->size >= BOUNCE_MARK_BYTES;
}

/* Part of a bounced mapping goes to the device. */
static bool give_to_device(const struct dma_mapping *m, uint32_t from, uint32_t size)
{
    struct bounced b = bounced_of(m);

    if (!has_marks(m))
        return bounce_copy_in(&b, from, size);
    bounce_mark(&b, from, size);
    return true;
}

/* Part of a bounced mapping comes from the device: what it has written of it. */
static bool take_from_device(const struct dma_mapping *m, uint32_t from, uint32_t size,
                             const void *caller)
{
    struct bounced b = bounced_of(m);
    uint32_t mark;

    if (m->dir == DMA_TO_DEVICE)
        return true;
    if (inject(bounce_wrong_way, dma_bounce))
        return bounce_copy_in(&b, from, size);
    mark = has_marks(m) ? bounce_find_mark(&b, from, size) : m->size;
    if (mark == m->size)
        return bounce_copy_out(&b, from, size);
    dma_report(m->dev, DMA_FINDING_UNWRITTEN, "byte %u of 0x%llx+%u by %p, wanted by %p", mark,
               addr_number(m->phys), m->size, m->caller, caller);
    return inject(bounce_believe_unwritten, dma_bounce) ? bounce_copy_out(&b, from, size)
                                                        : bounce_copy_written(&b, from, size);
}

/* Gives a bounced mapping its slots and contents. Returns 0 or a negative errno, with no slots. */
static int bounce(struct dma_mapping *m, unsigned long attrs)
{
    struct bounced b;
    int err = bounce_alloc(m->dev, m->phys, m->size, attrs & DMA_ATTR_MAY_SLEEP, &m->dma);

    if (err)
        return err;
    m->bounced = true;
    b = bounced_of(m);
    if (m->dir != DMA_TO_DEVICE)
        bounce_guard(&b);
    if (!(attrs & DMA_ATTR_SKIP_CPU_SYNC) && !give_to_device(m, 0, m->size)) {
        bounce_free(m->dma, m->size);
        return -ENOMEM;
    }
    return 0;
}

/*
 * Which of the device's mappings are simple enough for the quick paths: not if contents are to be
 * checked, not with a mask in the middle of a page or a boundary within one.
 *
 * Quick maps in interrupts go on meanwhile. So what is as it was is not touched, and a new end is
 * never seen with another end's pool.
 */
static void prepare_quick(struct device *dev)
{
    uint64_t pages = (addr_number(dev->dma_mask) >> PAGE_SHIFT) + 1;
    struct bounce_pool *pool = NULL;
    const struct page *quick_end = NULL;

    if (inject(dma_quick_past_mask, dma_bounce))
        pages++;
    if (!dev->check_ownership && (addr_number(dev->dma_mask) & PAGE_MASK) == PAGE_MASK &&
        (!dev->max_segment_bytes || dev->max_segment_bytes >= PAGE_SIZE) &&
        (!dev->segment_boundary_mask || dev->segment_boundary_mask >= PAGE_MASK)) {
        pool = bounce_quick_pool(dev);
        quick_end = pfn_to_page(pages < max_pfn ? (pfn_t)pages : max_pfn);
    }
    if (dev->quick_pool == pool && dev->quick_end == quick_end)
        return;
    __atomic_store_n(&dev->quick_pool, NULL, __ATOMIC_RELEASE);
    __atomic_store_n(&dev->quick_end, quick_end, __ATOMIC_RELEASE);
    __atomic_store_n(&dev->quick_pool, pool, __ATOMIC_RELEASE);
}

static dma_addr_t fail(struct device *dev)
{
    __atomic_add_fetch(&dev->counters.errors, 1, __ATOMIC_RELAXED);
    return DMA_MAPPING_ERROR;
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
        return fail(dev);
    }
    prepare_quick(dev);
    if ((!dma_reaches(dev, phys, size) || inject(dma_bounce_all, dma_stress)) &&
        bounce(&m, attrs) < 0)
        return fail(dev);
    note_contents(&m);
    if (!dma_track_add(&m)) {
        if (m.bounced)
            bounce_free(m.dma, size);
        return fail(dev);
    }
    dma_guard(&m);
    __atomic_add_fetch(m.bounced ? &dev->counters.bounced : &dev->counters.direct, 1,
                       __ATOMIC_RELAXED);
    return m.dma;
}

/* What the CPU does not own of a mapping that ends comes from the device. */
static bool take_rest(const struct dma_mapping *m, const void *caller)
{
    uint32_t from = 0;

    while (from < m->size) {
        uint32_t to = m->size, next = to;

        for (unsigned i = 0; i < m->nr_cpu && !inject_on_host(dma_forget_parts); i++) {
            if (m->cpu[i].from >= from && m->cpu[i].from < to) {
                to = m->cpu[i].from;
                next = m->cpu[i].to;
            }
        }
        if (to > from && !take_from_device(m, from, to - from, caller))
            return false;
        from = next;
    }
    return true;
}

void dma_unmap_one(struct device *dev, dma_addr_t addr, uint32_t size, enum dma_data_direction dir,
                   unsigned long attrs, const void *caller)
{
    const struct dma_mapping said = {
        .dev = dev,
        .dma = addr,
        .size = size,
        .caller = caller,
        .dir = (uint8_t)dir,
        .kind = DMA_KIND_MAP,
    };
    struct dma_mapping m;
    struct bounced b;

    if (!dma_track_take(&said, &m))
        return;
    dma_unguard(&m);
    __atomic_add_fetch(&dev->counters.unmaps, 1, __ATOMIC_RELAXED);
    if (size != m.size)
        dma_report(dev, DMA_FINDING_WRONG_SIZE, "0x%llx unmapped as %u of %u bytes by %p",
                   addr_number(addr), size, m.size, caller);
    if (dir != m.dir)
        dma_report(dev, DMA_FINDING_WRONG_DIRECTION, "0x%llx is %s, unmapped %s by %p",
                   addr_number(addr), dma_direction_name(m.dir), dma_direction_name(dir), caller);
    check_untouched(&m, caller);
    if (!m.bounced)
        return;
    b = bounced_of(&m);
    check_guards(&m, &b, caller);
    if (!(attrs & DMA_ATTR_SKIP_CPU_SYNC) && !take_rest(&m, caller))
        fail(dev);
    bounce_free(m.dma, m.size);
}

dma_addr_t dma_map_page_attrs(struct device *dev, struct page *page, uint32_t offset, uint32_t size,
                              enum dma_data_direction dir, unsigned long attrs)
{
    return dma_map_one(dev, page_to_phys(page) + offset, size, dir, attrs, CALLER());
}

void dma_unmap_page_attrs(struct device *dev, dma_addr_t addr, uint32_t size,
                          enum dma_data_direction dir, unsigned long attrs)
{
    dma_unmap_one(dev, addr, size, dir, attrs, CALLER());
}

/* The mapping that a sync names. False after a finding. */
static bool sync_target(struct device *dev, dma_addr_t addr, uint32_t size,
                        enum dma_data_direction dir, const void *caller, struct dma_mapping *m)
{
    if (!dma_track_find(dev, addr, size, caller, m))
        return false;
    if (size == 0 || size > m->size || addr - m->dma > m->size - size) {
        dma_report(dev, DMA_FINDING_WRONG_SIZE, "0x%llx+%u synced past %u bytes by %p",
                   addr_number(addr), size, m->size, caller);
        return false;
    }
    if (dir != m->dir && m->dir != DMA_BIDIRECTIONAL) {
        dma_report(dev, DMA_FINDING_WRONG_DIRECTION, "0x%llx is %s, synced %s by %p",
                   addr_number(addr), dma_direction_name(m->dir), dma_direction_name(dir), caller);
        return false;
    }
    return true;
}

static void drop_part(struct dma_mapping *m, unsigned index)
{
    m->nr_cpu--;
    for (unsigned i = index; i < m->nr_cpu; i++)
        m->cpu[i] = m->cpu[i + 1];
}

/* The part is the CPU's too, together with what it touches. */
static void give_part(struct dma_mapping *m, uint32_t from, uint32_t to)
{
    for (unsigned i = 0; i < m->nr_cpu;) {
        if (m->cpu[i].from > to || m->cpu[i].to < from) {
            i++;
            continue;
        }
        from = MIN(from, m->cpu[i].from);
        to = MAX(to, m->cpu[i].to);
        drop_part(m, i);
    }
    if (inject(dma_give_whole, dma_bounce)) {
        from = 0;
        to = m->size;
    }
    if (m->nr_cpu == DMA_CPU_PARTS)
        drop_part(m, 0);
    m->cpu[m->nr_cpu++] = (struct dma_part){from, to};
}

/* The part is the device's again. What is left of one that is cut in two may be one too many. */
static void take_part(struct dma_mapping *m, uint32_t from, uint32_t to)
{
    struct dma_mapping was = *m;

    m->nr_cpu = 0;
    for (unsigned i = 0; i < was.nr_cpu; i++) {
        const struct dma_part *part = &was.cpu[i];

        if (part->from < MIN(from, part->to))
            give_part(m, part->from, MIN(from, part->to));
        if (part->to > MAX(to, part->from))
            give_part(m, MAX(to, part->from), part->to);
    }
}

static void end_sync(struct dma_mapping *m)
{
    m->intruder = NULL;
    if (!inject_on_host(dma_keep_checksum))
        note_contents(m);
    if (!dma_track_update(m))
        fail(m->dev);
    dma_guard(m);
}

void dma_sync_one_for_cpu(struct device *dev, dma_addr_t addr, uint32_t size,
                          enum dma_data_direction dir, const void *caller)
{
    struct dma_mapping m;
    uint32_t from;

    if (!sync_target(dev, addr, size, dir, caller, &m) || !(m.bounced || dev->check_ownership))
        return;
    dma_unguard(&m);
    from = (uint32_t)(addr - m.dma);
    check_untouched(&m, caller);
    if (m.bounced && dir != DMA_TO_DEVICE && !inject(dma_skip_sync, dma_bounce) &&
        !take_from_device(&m, from, size, caller))
        fail(dev);
    give_part(&m, from, from + size);
    end_sync(&m);
}

void dma_sync_one_for_device(struct device *dev, dma_addr_t addr, uint32_t size,
                             enum dma_data_direction dir, const void *caller)
{
    struct dma_mapping m;
    uint32_t from;

    if (!sync_target(dev, addr, size, dir, caller, &m) || !(m.bounced || dev->check_ownership))
        return;
    dma_unguard(&m);
    from = (uint32_t)(addr - m.dma);
    if (m.bounced && !give_to_device(&m, from, size))
        fail(dev);
    if (!inject_on_host(dma_keep_part))
        take_part(&m, from, from + size);
    end_sync(&m);
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

unsigned dma_check_leaks(struct device *dev)
{
    struct dma_mapping m;
    unsigned leaks = 0;

    if (!dev)
        bounce_forget_sleepers();
    while (dma_track_take_any(dev, DMA_KIND_MAP, &m)) {
        leaks++;
        dma_unguard(&m);
        if (m.bounced)
            bounce_free(m.dma, m.size);
        dma_report(m.dev, DMA_FINDING_LEAK, "0x%llx+%u %s mapped by %p", addr_number(m.phys),
                   m.size, dma_direction_name(m.dir), m.caller);
    }
    return leaks;
}
