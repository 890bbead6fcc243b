/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload/tests/torture_blocks.h"
#include "lib/format.h"
#include "lib/prng.h"
#include "paging/kmap.h"
#include "paging/kmap_local.h"
#include "paging/page_owner.h"
#include "paging/shrinker.h"

/* At the start and at the end of each page. */
struct stamp {
    pfn_t born;   /* the block was here when it was stamped */
    uint32_t who; /* owner's id, and page in the block */
    uint32_t serial;
    uint32_t check; /* of all that */
};

struct torture_blocks torture_blocks;

void torture_broke(const char *fmt, ...)
{
    va_list args;

    if (torture_blocks.wrong[0])
        return;
    va_start(args, fmt);
    vformat(torture_blocks.wrong, sizeof(torture_blocks.wrong), fmt, args);
    va_end(args);
}

static struct stamp stamp_of(const struct torture_block *block, unsigned page)
{
    struct stamp stamp = {.born = block->born + page, .who = page, .serial = block->serial};

    stamp.check = hash32(stamp.born ^ hash32(stamp.serial ^ hash32(page + 1)));
    return stamp;
}

static struct stamp *last_of(void *page)
{
    return (struct stamp *)((char *)page + PAGE_SIZE) - 1;
}

static void stamp_block(const struct torture_block *block)
{
    for (unsigned i = 0; i < 1u << block->order; i++) {
        struct stamp *window = kmap_local_page(pfn_to_page(block->pfn + i));

        *window = stamp_of(block, i);
        *last_of(window) = *window;
        kunmap_local(window);
    }
}

static bool is_stamp(const volatile struct stamp *found, const struct stamp *wanted)
{
    return found->born == wanted->born && found->who == wanted->who &&
           found->serial == wanted->serial && found->check == wanted->check;
}

/* One page of a block, which may be somewhere else than the table says. */
static void check_page(const struct torture_block *block, unsigned i, struct page *page,
                       const char *when)
{
    struct stamp wanted = stamp_of(block, i), *window = kmap_local_page(page), found = *window;
    const struct stamp *last = last_of(window);

    if (is_stamp(window, &wanted) && !is_stamp(last, &wanted))
        found = *last;
    if (!is_stamp(&found, &wanted))
        torture_broke("page 0x%x %s: stamp 0x%x %u %u 0x%x, 0x%x %u %u 0x%x wanted",
                      page_to_pfn(page), when, found.born, found.who, found.serial, found.check,
                      wanted.born, wanted.who, wanted.serial, wanted.check);
    kunmap_local(window);
}

static void check_block(const struct torture_block *block, const char *when)
{
    for (unsigned i = 0; i < 1u << block->order; i++)
        check_page(block, i, pfn_to_page(block->pfn + i), when);
}

void torture_blocks_check(void)
{
    for (uint32_t i = 0; i < torture_blocks.count; i++)
        check_block(&torture_blocks.block[i], "held");
}

/* Owners */

static struct torture_block *block_of(uint32_t index, const struct page *page, const char *hook)
{
    if (index >= torture_blocks.count || torture_blocks.block[index].pfn != page_to_pfn(page)) {
        torture_broke("%s() of frame 0x%x, number %u: not ours", hook, page_to_pfn(page), index);
        return NULL;
    }
    return &torture_blocks.block[index];
}

static bool isolate(struct page_owner *owner, uint32_t index, struct page *page)
{
    struct torture_block *block = block_of(index, page, "isolate");

    if (!block || block->pinned)
        return false;
    if (block->isolated || block->order)
        torture_broke("frame 0x%x is to be moved, with order %u%s", block->pfn, block->order,
                      block->isolated ? ", twice" : "");
    block->isolated = true;
    return true;
}

static void moved(struct page_owner *owner, uint32_t index, struct page *from, struct page *to)
{
    struct torture_block *block = block_of(index, from, "moved");

    if (!block)
        return;
    if (!block->isolated || block->mapped || page_zonenum(from) != page_zonenum(to))
        torture_broke("frame 0x%x has moved to 0x%x%s%s", page_to_pfn(from), page_to_pfn(to),
                      block->isolated ? "" : ", without having been isolated",
                      block->mapped ? ", with a window in use" : "");
    if (to->owner != owner->id || to->index != index)
        torture_broke("frame 0x%x, moved from 0x%x, belongs to %u, %u, not %u, %u", page_to_pfn(to),
                      page_to_pfn(from), to->owner, to->index, owner->id, index);
    check_page(block, 0, to, "moved");
    block->pfn = page_to_pfn(to);
    block->isolated = false;
    torture_blocks.moved++;
}

static void kept(struct page_owner *owner, uint32_t index, struct page *page)
{
    struct torture_block *block = block_of(index, page, "kept");

    if (block && !block->isolated)
        torture_broke("frame 0x%x is kept, and was not isolated", block->pfn);
    if (block)
        block->isolated = false;
    torture_blocks.kept++;
}

static struct page_owner owners[NR_TORTURE_WHO] = {
    [TORTURE_FIXED] = {.name = "torture-fixed", .letter = 'f'},
    [TORTURE_MOVER] =
        {.name = "torture-mover", .letter = 'm', .isolate = isolate, .moved = moved, .kept = kept},
    [TORTURE_CACHE] =
        {.name = "torture-cache", .letter = 'c', .isolate = isolate, .moved = moved, .kept = kept},
};

static bool can_shrink(const struct torture_block *block, enum zone_type zone)
{
    return block->who == TORTURE_CACHE && !block->mapped &&
           page_zonenum(pfn_to_page(block->pfn)) <= zone;
}

static uint32_t count_objects(struct shrinker *shrinker, enum zone_type zone)
{
    uint32_t pages = 0;

    for (uint32_t i = 0; i < torture_blocks.count; i++)
        pages += can_shrink(&torture_blocks.block[i], zone);
    return pages;
}

static uint32_t scan_objects(struct shrinker *shrinker, enum zone_type zone, uint32_t nr_to_scan)
{
    uint32_t freed = 0;

    for (uint32_t i = torture_blocks.count; i-- > 0 && freed < nr_to_scan;) {
        if (!can_shrink(&torture_blocks.block[i], zone))
            continue;
        torture_block_give(i);
        freed++;
    }
    torture_blocks.reclaimed += freed;
    return freed;
}

static struct shrinker cache = {
    .name = "torture-cache", .count_objects = count_objects, .scan_objects = scan_objects};

/* The table */

bool torture_blocks_open(uint32_t max)
{
    unsigned order = 0;

    while (PAGE_SIZE << order < max * sizeof(struct torture_block))
        order++;
    torture_blocks = (struct torture_blocks){.table_order = order, .max = max};
    torture_blocks.block = __get_free_pages(GFP_KERNEL, order);
    if (!torture_blocks.block)
        return false;
    for (unsigned who = TORTURE_FIXED; who < NR_TORTURE_WHO; who++)
        page_owner_register(&owners[who]);
    register_shrinker(&cache);
    return true;
}

void torture_blocks_close(void)
{
    if (!torture_blocks.block)
        return;
    unregister_shrinker(&cache);
    for (uint32_t i = 0; i < torture_blocks.count; i++) {
        struct torture_block *block = &torture_blocks.block[i];

        if (block->mapped)
            kunmap(pfn_to_page(block->pfn));
        __free_pages(pfn_to_page(block->pfn), block->order);
    }
    for (unsigned who = TORTURE_FIXED; who < NR_TORTURE_WHO; who++)
        page_owner_unregister(&owners[who]);
    free_pages(torture_blocks.block, torture_blocks.table_order);
    torture_blocks.block = NULL;
}

void torture_block_own(uint32_t index, enum torture_who who)
{
    struct torture_block *block = &torture_blocks.block[index];

    if (who >= TORTURE_MOVER && !block->movable)
        who = TORTURE_FIXED;
    block->who = (uint8_t)who;
    page_set_owner(pfn_to_page(block->pfn), owners[who].id, index);
}

void torture_block_enter(struct page *page, unsigned order, gfp_t gfp, enum torture_who who)
{
    uint32_t index = torture_blocks.count++;

    torture_blocks.block[index] = (struct torture_block){
        .pfn = page_to_pfn(page),
        .born = page_to_pfn(page),
        .serial = ++torture_blocks.serial,
        .order = (uint8_t)order,
        .movable = gfp & __GFP_MOVABLE,
    };
    torture_blocks.pages[page_zonenum(page)] += 1u << order;
    torture_block_own(index, who);
    stamp_block(&torture_blocks.block[index]);
}

void torture_block_give(uint32_t index)
{
    struct torture_block *block = &torture_blocks.block[index], gone = *block;
    struct page *page = pfn_to_page(gone.pfn);

    if (block->isolated)
        torture_broke("frame 0x%x is given back while it is isolated", gone.pfn);
    if (page->owner != owners[gone.who].id || (gone.who && page->index != index))
        torture_broke("frame 0x%x belongs to %u, %u by its descriptor, not %u, %u", gone.pfn,
                      page->owner, page->index, owners[gone.who].id, index);
    check_block(block, "given back");
    torture_blocks.pages[page_zonenum(page)] -= 1u << gone.order;
    *block = torture_blocks.block[--torture_blocks.count];
    if (index < torture_blocks.count)
        torture_block_own(index, (enum torture_who)block->who);
    __free_pages(page, gone.order);
}

void torture_block_map(uint32_t index, bool map)
{
    struct torture_block *block = &torture_blocks.block[index];
    struct page *page = pfn_to_page(block->pfn);
    struct stamp wanted = stamp_of(block, 0);

    if (!map) {
        const struct stamp *window = page_address(page);

        if (!window || !is_stamp(window, &wanted))
            torture_broke("the window to frame 0x%x shows something else", block->pfn);
        kunmap(page);
    } else if (!kmap(page)) {
        return;
    }
    block->mapped = map;
}
