/* SPDX-License-Identifier: BSD-2-Clause */
#include "paging/belief.h"
#include "paging/ioremap.h"
#include "paging/kmap.h"
#include "paging/kmap_local.h"

/* What one page of the direct map should be. */
struct direct_kind {
    const char *what; /* NULL: not mapped */
    uint64_t flags;
};

/* Joins what continues the run before it. */
struct joiner {
    belief_fn fn;
    void *ctx;
    struct belief run; /* pages 0: none yet */
};

static uint64_t page_bytes(const struct belief *run)
{
    return (run->flags & PTE_LARGE) ? LARGE_PAGE_SIZE : PAGE_SIZE;
}

static void join_end(struct joiner *joiner)
{
    if (joiner->run.pages)
        joiner->fn(joiner->ctx, &joiner->run);
    joiner->run.pages = 0;
}

static void join(struct joiner *joiner, virt_t virt, phys_addr_t phys, struct direct_kind kind)
{
    struct belief *run = &joiner->run;
    uint64_t bytes = run->pages * page_bytes(run);

    if (run->pages && run->what == kind.what && run->flags == kind.flags &&
        run->virt + bytes == virt && run->phys + bytes == phys) {
        run->pages++;
        return;
    }
    join_end(joiner);
    *run = (struct belief){virt, phys, 1, kind.flags, kind.what};
}

static bool is_in(phys_addr_t phys, phys_addr_t start, phys_addr_t end)
{
    return phys >= start && phys < end;
}

/*
 * The rules of the direct map, as pgtable.h has them, said a second time on purpose: pgtable.c
 * builds by its own, and where the two differ, one is wrong.
 */
static struct direct_kind kind_of(const struct direct_map *direct, phys_addr_t phys)
{
    const struct image_ranges *image = &direct->image;

    for (unsigned i = 0; i < image->nr_guards; i++)
        if (phys == direct->guard[i])
            return (struct direct_kind){NULL, 0};
    if (is_in(phys, image->text, image->text_end))
        return (struct direct_kind){"text", layout.global};
    if (is_in(phys, image->rodata, image->rodata_end))
        return (struct direct_kind){"rodata", layout.nx | layout.global};
    return (struct direct_kind){is_in(phys, image->data, image->data_end) ? "data" : "direct",
                                PTE_WRITE | layout.nx | layout.global};
}

/* Is all of the 2 MiB from `at` RAM that needs no borders within it? */
static bool is_large(const struct image_ranges *image, phys_addr_t at, phys_addr_t end)
{
    bool meets_image = at < image->data_end && at + LARGE_PAGE_SIZE > image->text;

    return IS_ALIGNED(at, LARGE_PAGE_SIZE) && at != 0 && end - at >= LARGE_PAGE_SIZE &&
           !meets_image;
}

void belief_tell_direct(const struct direct_map *direct, belief_fn fn, void *ctx)
{
    struct joiner joiner = {.fn = fn, .ctx = ctx};
    struct mem_range range;

    for (unsigned cursor = 0; memmap_next_ram(&direct->ram, &cursor, &range);) {
        phys_addr_t end = MIN(range.end, layout.lowmem_end);

        for (phys_addr_t at = range.start; at < end;) {
            struct direct_kind kind = kind_of(direct, at);
            bool large = is_large(&direct->image, at, end);

            if (large)
                kind.flags |= PTE_LARGE;
            if (kind.what)
                join(&joiner, layout.page_offset + (uint32_t)addr_number(at), at, kind);
            at += large ? LARGE_PAGE_SIZE : PAGE_SIZE;
        }
    }
    join_end(&joiner);
}

static void tell_ioremap(belief_fn fn, void *ctx)
{
    struct ioremap_area area;

    for (unsigned i = 0; i < IOREMAP_AREAS; i++)
        if (ioremap_area(i, &area))
            fn(ctx, &(struct belief){area.start, area.phys, area.pages,
                                     PTE_WRITE | layout.nx | area.cache_flags, "ioremap"});
}

static void tell_kmap(belief_fn fn, void *ctx)
{
    bool in_use;
    pfn_t pfn;

    for (unsigned slot = 0; slot < LAST_PKMAP; slot++)
        if (kmap_slot(slot, &pfn, &in_use))
            fn(ctx, &(struct belief){pkmap_addr(slot), pfn_to_phys(pfn), 1, PTE_WRITE | layout.nx,
                                     in_use ? "kmap" : "stale"});
}

static void tell_kmap_local(belief_fn fn, void *ctx)
{
    for (unsigned i = 0; i < kmap_local_depth(); i++)
        fn(ctx, &(struct belief){kmap_local_addr(i), BELIEF_PHYS_UNKNOWN, 1, PTE_WRITE | layout.nx,
                                 "kmap_local"});
}

void belief_tell(belief_fn fn, void *ctx)
{
    belief_tell_direct(pgtable_direct_map(), fn, ctx);
    tell_ioremap(fn, ctx);
    tell_kmap(fn, ctx);
    tell_kmap_local(fn, ctx);
}
