/* SPDX-License-Identifier: BSD-2-Clause */
/* What must hold between operations. */
#include <string.h>

#include "ci/model/page_slab.h"
#include "lib/x86/percpu.h"

static bool is_zero(const struct page *page)
{
    uint64_t bits;

    memcpy(&bits, page, sizeof(bits));
    return bits == 0;
}

/* A page that is not free. Most have no window; those of a slab lead to it. */
static void check_window(pfn_t pfn)
{
    const struct block *block = &m.blocks[m.block[pfn]];
    uint32_t kmap = m.map[pfn].kmap;

    if (block->who == SLAB) {
        unsigned number = block->use < NR_SLAB_CACHES ? block->use : 0;

        CHECK(kmap >> SLAB_NUMBER_SHIFT == number && kmap == m.map[block->pfn].kmap,
              "frame %u, of cache %u, says that it is a slab's: 0x%08x", pfn, number, kmap);
        return;
    }
    CHECK(kmap <= NR_WINDOWS && (!kmap || m.window[kmap - 1].pfn == pfn),
          "frame %u says that it has window %u", pfn, kmap);
}

static unsigned owner_of(const struct block *block)
{
    if (block->who == SLAB)
        return block->use == USE_UNKNOWN ? PAGE_OWNER_NONE : PAGE_OWNER_SLAB;
    return model_owner[block->who].id;
}

static void check_head(pfn_t pfn)
{
    const struct page *page = m.map + pfn;
    const struct block *block = &m.blocks[m.block[pfn]];
    unsigned owner = owner_of(block);
    uint32_t index = block->who == SLAB ? block->use : m.block[pfn];

    CHECK(block->pfn == pfn, "frame %u belongs to the block at %u", pfn, block->pfn);
    CHECK(page->allocated && !page->free && page->order == block->order,
          "frame %u is held with order %u, its descriptor says %s%s, order %u", pfn, block->order,
          page->allocated ? "allocated" : "not allocated", page->free ? ", free" : "", page->order);
    CHECK(page->owner == owner, "the owner of frame %u is %u by its descriptor, %u wanted", pfn,
          page->owner, owner);
    CHECK(owner == PAGE_OWNER_NONE || page->index == index,
          "the index of frame %u is %u by its descriptor, %u wanted", pfn, page->index, index);
    check_window(pfn);
}

/* The first page of a block of the free lists; notes what is in it. */
static void check_buddy(pfn_t pfn)
{
    const struct page *page = m.map + pfn;
    unsigned group = pfn / GROUP_FRAMES, order = page->order;
    pfn_t end = pfn + (1u << order);
    uint32_t bits;

    if (order > MAX_ORDER || !IS_ALIGNED(pfn, 1u << order) || end > zone_end(zone_of(pfn))) {
        broke("frame %u starts a free block of order %u", pfn, order);
        return;
    }
    bits = (uint32_t)(((UINT64_C(1) << (1u << order)) - 1) << pfn % GROUP_FRAMES);
    CHECK(!(bits & m.is_listed[group]), "frame %u starts a free block, and is in another", pfn);
    CHECK(!(bits & ~m.is_free[group]),
          "frame %u starts a free block of order %u, where some is held", pfn, order);
    m.buddies[order][group] |= 1u << pfn % GROUP_FRAMES;
    m.is_listed[group] |= bits;
}

static void check_descriptor(pfn_t pfn)
{
    const struct page *page = m.map + pfn;

    switch (m.frame[pfn]) {
    case HOLE:
        CHECK(is_zero(page), "frame %u, which is no memory, has a descriptor", pfn);
        break;
    case HEAD:
        check_head(pfn);
        break;
    case TAIL:
        CHECK(!page->allocated, "frame %u, inside a block, has a descriptor", pfn);
        check_window(pfn);
        break;
    case FREE:
        CHECK(!page->allocated, "frame %u is free, and allocated by its descriptor", pfn);
        if (page_is_buddy(page))
            check_buddy(pfn);
        else
            CHECK(page->free || !page->kmap, "frame %u is free, and has a window", pfn);
        break;
    }
}

/* Descriptors that nobody has changed, on either side, are still right. */
static void check_descriptors(void)
{
    for (unsigned group = 0; group * GROUP_FRAMES < m.nr_pfn && is_right(); group++) {
        pfn_t first = group * GROUP_FRAMES, pages = MIN(GROUP_FRAMES, m.nr_pfn - first);

        if (!m.changed[group] &&
            !memcmp(m.map + first, m.seen + first, pages * sizeof(struct page)))
            continue;
        memcpy(m.seen + first, m.map + first, pages * sizeof(struct page));
        m.changed[group] = 0;
        m.is_listed[group] = 0;
        for (unsigned order = 0; order < NR_ORDERS; order++)
            m.buddies[order][group] = 0;
        for (pfn_t pfn = first; pfn < first + pages; pfn++)
            check_descriptor(pfn);
    }
}

/* Blocks of the lists must have merged; zone_check() looks at the links. */
static void check_merged(void)
{
    for (unsigned order = 0; order < NR_ORDERS; order++) {
        for (unsigned group = 0; group < NR_GROUPS; group++) {
            uint32_t differ = m.listed.first[order][group] ^ m.buddies[order][group];

            CHECK(!differ, "frame %u must %sstart a free block of order %u",
                  group * GROUP_FRAMES + (unsigned)__builtin_ctz(differ),
                  m.buddies[order][group] & differ ? "not " : "", order);
        }
    }
}

static void check_zone(unsigned number)
{
    const struct zone *zone = zone_get((enum zone_type)number);
    pfn_t where = 0;
    const char *wrong = zone_check(zone, &where);

    CHECK(!wrong, "zone %u: %s, at frame %u", number, wrong, where);
    CHECK(zone->free_pages == m.listed.pages[number],
          "zone %u says that %u pages are in its lists; %u are", number, zone->free_pages,
          m.listed.pages[number]);
    CHECK(nr_free_pages((enum zone_type)number) == m.free.pages[number],
          "zone %u says that %u pages are free; %u are", number,
          nr_free_pages((enum zone_type)number), m.free.pages[number]);
    for (unsigned order = 0; order < NR_ORDERS; order++)
        CHECK(zone->free_area[order].nr_free == m.listed.blocks[number].nr_free[order],
              "zone %u: %u free blocks of order %u, %u wanted", number,
              zone->free_area[order].nr_free, order, m.listed.blocks[number].nr_free[order]);
    if (!m.tuning.pcp)
        CHECK(m.free.pages[number] == m.listed.pages[number],
              "zone %u: %u pages are not in its lists, and there are no others", number,
              m.free.pages[number] - m.listed.pages[number]);
}

void check_block_words(const struct block *block)
{
    for (unsigned i = 0; i < 1u << block->order; i++)
        CHECK(m.word[block->pfn + i] == word_of(block, i), "frame %u holds 0x%08x, 0x%08x wanted",
              block->pfn + i, m.word[block->pfn + i], word_of(block, i));
}

void check_words(void)
{
    for (uint32_t i = 0; i < m.nr_held; i++)
        check_block_words(&m.blocks[m.held[i]]);
}

void check_all(void)
{
    const struct page_alloc_events *now = page_alloc_events();
    const char *wrong;
    pfn_t where = 0;

    CHECK(m.findings == m.findings_wanted, "%u findings, %u wanted; the last one: %s", m.findings,
          m.findings_wanted, m.finding);
    CHECK(this_cpu()->preempt_count == 0, "preemption is left off");
    CHECK(m.isolated == 0, "%u pages are left isolated", m.isolated);
    for (unsigned i = 0; i < NR_WINDOWS; i++)
        CHECK(!m.window[i].pfn || m.map[m.window[i].pfn].kmap == i + 1,
              "frame %u has lost window %u", m.window[i].pfn, i);
    check_descriptors();
    supply_count(&m.free, m.is_free);
    supply_count(&m.listed, m.is_listed);
    check_merged();
    wrong = page_lists_check(&where);
    CHECK(!wrong, "%s, at frame %u", wrong, where);
    for (unsigned zone = 0; zone < MAX_NR_ZONES && is_right(); zone++)
        check_zone(zone);
    if (m.words_written)
        check_words();
    for (unsigned type = 0; type < MIGRATE_TYPES; type++)
        model_now->count[COUNT_STOLEN] += now->stolen[type] - m.before.stolen[type];
    model_now->count[COUNT_MOVED] += m.moved;
    model_now->count[COUNT_RECLAIMED] += m.reclaimed;
    for (pfn_t pfn = 0; pfn < m.nr_pfn; pfn += 1u << PAGEBLOCK_ORDER)
        m.type[pfn >> PAGEBLOCK_ORDER] = (uint8_t)get_pageblock_migratetype(m.map + pfn);
    m.before = *now;
    m.moved = m.kept = m.reclaimed = m.words_written = 0;
    m.slab_gave = m.disturbed = false;
    memset(m.freed_by, 0, sizeof(m.freed_by));
}
