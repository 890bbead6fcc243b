/* SPDX-License-Identifier: BSD-2-Clause */
/* Blocks that come and go. */
#include <string.h>

#include "ci/model/page_state.h"
#include "lib/prng.h"

#define FILL_MOST 64u

uint32_t word_of(const struct block *block, unsigned page)
{
    return hash32(block->serial * NR_FRAMES + page);
}

void frame_is(pfn_t pfn, enum frame_state state)
{
    uint32_t bit = 1u << pfn % GROUP_FRAMES;

    m.frame[pfn] = (uint8_t)state;
    m.changed[pfn / GROUP_FRAMES] = 1;
    if (state == FREE)
        m.is_free[pfn / GROUP_FRAMES] |= bit;
    else
        m.is_free[pfn / GROUP_FRAMES] &= ~bit;
}

struct block *block_enters(struct page *page, unsigned order, gfp_t gfp)
{
    pfn_t pfn = page_to_pfn(page);
    struct block *block;
    uint16_t number;

    if (pfn + (1u << order) > m.nr_pfn || !IS_ALIGNED(pfn, 1u << order)) {
        broke("an allocation of order %u gave frame %u", order, pfn);
        return NULL;
    }
    for (unsigned i = 0; i < 1u << order; i++)
        CHECK(m.frame[pfn + i] == FREE, "frame %u was given, and is not free", pfn + i);
    if (!is_right())
        return NULL;
    if (gfp & __GFP_ZERO)
        for (unsigned i = 0; i < 1u << order; i++)
            CHECK(m.word[pfn + i] == 0, "frame %u was to be cleared", pfn + i);
    number = m.unused[m.nr_held];
    block = &m.blocks[number];
    *block = (struct block){.pfn = pfn,
                            .order = (uint8_t)order,
                            .gfp = gfp,
                            .serial = ++m.serial,
                            .place = (uint16_t)m.nr_held};
    m.held[m.nr_held++] = number;
    for (unsigned i = 0; i < 1u << order; i++) {
        frame_is(pfn + i, i ? TAIL : HEAD);
        m.block[pfn + i] = number;
        m.word[pfn + i] = word_of(block, i);
    }
    model_now->count[COUNT_ALLOCATED]++;
    return block;
}

void block_leaves(struct block *block)
{
    uint16_t number = (uint16_t)(block - m.blocks), last = m.held[--m.nr_held];

    m.held[block->place] = last;
    m.blocks[last].place = block->place;
    m.unused[m.nr_held] = number;
    for (unsigned i = 0; i < 1u << block->order; i++)
        frame_is(block->pfn + i, FREE);
    m.last_freed = block->pfn;
    model_now->count[COUNT_FREED]++;
}

void block_own(struct block *block, enum who who)
{
    /* Owners that let go have movable pages only. */
    if (who == MOVER && !(block->gfp & __GFP_MOVABLE))
        who = FIXED;
    block->who = (uint8_t)who;
    m.changed[block->pfn / GROUP_FRAMES] = 1;
    page_set_owner(m.map + block->pfn, model_owner[who].id, (uint32_t)(block - m.blocks));
}

struct block *pick_block(unsigned which)
{
    for (unsigned i = 0; i < m.nr_held; i++) {
        struct block *block = &m.blocks[m.held[(which + i) % m.nr_held]];

        if (block->who != SLAB)
            return block;
    }
    return NULL;
}

static gfp_t gfp_of(const struct op *op)
{
    gfp_t gfp = op->gfp & 0x1ffu;

    if ((gfp & __GFP_MOBILITY_MASK) == __GFP_MOBILITY_MASK)
        gfp &= ~__GFP_RECLAIMABLE;
    return gfp;
}

static struct block *take(gfp_t gfp, unsigned order, bool by_address)
{
    struct page *page;

    call_begin();
    if (by_address && (gfp & __GFP_ZONE_MASK) < ZONE_HIGHMEM) {
        void *addr = __get_free_pages(gfp, order);

        page = addr ? virt_to_page(addr) : NULL;
        CHECK(!page || !PageHighMem(page), "an address of a highmem page");
    } else {
        page = alloc_pages(gfp, order);
    }
    call_end();
    if (!page) {
        check_refused(gfp, order);
        return NULL;
    }
    check_given(page, gfp, order);
    return is_right() ? block_enters(page, order, gfp) : NULL;
}

void do_alloc(const struct op *op)
{
    struct block *block = take(gfp_of(op), op->order % (NR_ORDERS + 1), op->more & 1);

    if (block)
        block_own(block, (enum who)(op->more / 2 % CACHE));
}

void do_fill(const struct op *op)
{
    for (unsigned i = 0; i <= op->more % FILL_MOST && is_right(); i++) {
        struct block *block = take(gfp_of(op), op->order % NR_ORDERS, false);

        if (!block)
            break;
        block_own(block, op->more & 0xc0 ? MOVER : NOBODY);
        check_all();
    }
}

void do_cache(const struct op *op)
{
    gfp_t gfp = gfp_of(op);

    if (!(gfp & __GFP_MOBILITY_MASK))
        gfp |= __GFP_RECLAIMABLE;
    for (unsigned i = 0; i <= op->more % FILL_MOST && is_right(); i++) {
        struct block *block = take(gfp, 0, false);

        if (!block)
            break;
        block_own(block, CACHE);
        check_all();
    }
}

/* Nearly any range of addresses. */
void do_alloc_in(const struct op *op)
{
    unsigned order = op->order % (NR_ORDERS + 1), odd = op->more % 4;
    pfn_t min = op->at % (m.nr_pfn + 8), end = min + op->more / 4u * (1u + op->gfp % 32u);
    bool all_listed = !memcmp(m.free.pages, m.listed.pages, sizeof(m.free.pages));
    struct page *page;
    pfn_t wanted;

    if (end < min + (odd == 1 || odd == 2))
        end = min + 1;
    page = alloc_pages_in(order, pfn_to_phys(min) - (odd == 1 && min ? 100 : 0),
                          pfn_to_phys(end) + (odd == 2 ? 4095 : 0));
    wanted = supply_lowest(&m.free, order, min, MIN(end, m.nr_pfn));
    if (!page) {
        CHECK(!wanted, "no block of order %u in frames %u to %u, while %u is free", order, min, end,
              wanted);
        return;
    }
    CHECK(page_to_pfn(page) >= min && page_to_pfn(page) + (1u << order) <= end,
          "a block of order %u in frames %u to %u is frame %u", order, min, end, page_to_pfn(page));
    CHECK(!all_listed || page_to_pfn(page) == wanted,
          "a block of order %u in frames %u to %u is frame %u, %u wanted", order, min, end,
          page_to_pfn(page), wanted);
    if (is_right())
        block_enters(page, order, 0);
}

void give(struct block *block)
{
    struct page *page = m.map + block->pfn;
    struct block was = *block;

    check_block_words(block);
    block_leaves(block);
    call_begin();
    if (PageHighMem(page) || was.serial % 4)
        __free_pages(page, was.order);
    else
        free_pages(lowmem_page_address(page), was.order);
    call_end();
}

/* A page with a window in use is not taken back. */
static void give_if_unused(struct block *block)
{
    if (has_window_in_use(block)) {
        m.findings_wanted++;
        __free_pages(m.map + block->pfn, block->order);
    } else {
        give(block);
    }
}

void do_free(const struct op *op)
{
    struct block *block = pick_block(op->at);

    if (block)
        give_if_unused(block);
}

/* What is left are blocks here and there, and nothing can merge. */
void do_thin(const struct op *op)
{
    unsigned step = op->more % 8 + 1;

    for (pfn_t pfn = op->at % 8; pfn < m.nr_pfn && is_right(); pfn++) {
        if (m.frame[pfn] != HEAD || m.blocks[m.block[pfn]].order != op->order % NR_ORDERS ||
            m.blocks[m.block[pfn]].who == SLAB || (pfn >> (op->order % NR_ORDERS)) % step == 0)
            continue;
        give_if_unused(&m.blocks[m.block[pfn]]);
        check_all();
    }
}

/* Frees what may not be freed. False if this op has nothing of the kind. */
static bool find_wrong(const struct op *op, pfn_t *pfn, unsigned *order)
{
    const struct block *block = pick_block(op->at);

    *order = op->order % NR_ORDERS;
    switch (op->more % 6) {
    case 0: /* again */
        *pfn = m.last_freed;
        return *pfn && m.frame[*pfn] == FREE;
    case 1: /* another order */
        if (!block)
            return false;
        *pfn = block->pfn;
        *order = (block->order + 1 + op->order % (NR_ORDERS - 1)) % NR_ORDERS;
        return true;
    case 2: /* not the first page */
        if (!block || !block->order)
            return false;
        *pfn = block->pfn + 1 + op->order % ((1u << block->order) - 1);
        return true;
    case 3: /* any frame that is not the first of a block */
        *pfn = op->at % m.nr_pfn;
        return m.frame[*pfn] != HEAD;
    case 4: /* no frame */
        *pfn = m.nr_pfn + op->at % 8u;
        return true;
    default: /* an order that there is not */
        if (!block)
            return false;
        *pfn = block->pfn;
        *order = NR_ORDERS + op->order;
        return true;
    }
}

void do_free_wrong(const struct op *op)
{
    static struct page before[NR_FRAMES];
    unsigned order;
    pfn_t pfn;

    if (!find_wrong(op, &pfn, &order))
        return;
    memcpy(before, m.map, sizeof(before));
    m.findings_wanted++;
    model_now->count[COUNT_FINDINGS]++;
    __free_pages(m.map + pfn, order);
    CHECK(!memcmp(before, m.map, sizeof(before)),
          "freeing frame %u, order %u is wrong, and changed something", pfn, order);
}
