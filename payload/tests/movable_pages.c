/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload/tests/movable_pages.h"
#include "lib/string.h"
#include "paging/kmap_local.h"
#include "paging/preempt.h"

#define WORDS (PAGE_SIZE / sizeof(uint32_t))
#define SPREAD_PAGES (1u << MOVABLE_SPREAD_ORDER)

/* cppcheck-suppress constParameter ; a hook's type is the owner's */
static bool isolate(struct page_owner *owner, uint32_t index, struct page *page)
{
    struct movable *m = &movable.entry[index];

    if (owner != &movable.owner || index >= movable.count || m->page != page || m->isolated) {
        movable.wrong++;
        return false;
    }
    if (m->users || m->refuses) {
        movable.refused++;
        return false;
    }
    m->isolated = true;
    movable.isolated++;
    return true;
}

/* cppcheck-suppress constParameter ; a hook's type is the owner's */
static void moved(struct page_owner *owner, uint32_t index, struct page *from, struct page *to)
{
    struct movable *m = &movable.entry[index];

    if (index >= movable.count || m->page != from || !m->isolated || to == from ||
        page_owner(to) != owner || to->index != index)
        movable.wrong++;
    m->page = to;
    m->isolated = false;
    movable.moved++;
}

/* cppcheck-suppress constParameter ; a hook's type is the owner's */
static void kept(struct page_owner *owner, uint32_t index, struct page *page)
{
    struct movable *m = &movable.entry[index];

    if (owner != &movable.owner || index >= movable.count || m->page != page || !m->isolated)
        movable.wrong++;
    m->isolated = false;
    movable.kept++;
}

struct movable_pages movable = {
    .owner = {.name = "movable", .letter = 'm', .isolate = isolate, .moved = moved, .kept = kept},
};

bool movable_open(struct test *t, enum zone_type zone, uint32_t max)
{
    unsigned order = 0;

    while (order < MAX_ORDER && (PAGE_SIZE << order) / sizeof(struct movable) < max)
        order++;
    movable = (struct movable_pages){.owner = movable.owner, .zone = zone, .table_order = order};
    movable.max = MIN(max, (PAGE_SIZE << order) / sizeof(struct movable));
    movable.salt = prng_u32(test_prng(t));
    if (page_owner_register(&movable.owner)) {
        test_error(t, "no owner's number is free");
        return false;
    }
    movable.entry = __get_free_pages(GFP_KERNEL | __GFP_ZERO, order);
    if (movable.entry)
        return true;
    test_error(t, "no lowmem block of order %u for a table of %u pages", order, max);
    page_owner_unregister(&movable.owner);
    return false;
}

void movable_close(void)
{
    if (!movable.entry)
        return;
    for (uint32_t i = 0; i < movable.count; i++)
        movable_drop(i);
    free_pages(movable.entry, movable.table_order);
    movable.entry = NULL;
    page_owner_unregister(&movable.owner);
}

/* Nobody knows the page yet: it can't be moved meanwhile. */
static void write_contents(struct page *page, uint32_t index)
{
    uint32_t *window = kmap_local_page(page);

    for (unsigned word = 0; word < WORDS; word++)
        window[word] = movable_word(index, word);
    kunmap_local(window);
}

bool movable_take(uint32_t index)
{
    struct page *page = alloc_page((gfp_t)movable.zone | __GFP_THISZONE | __GFP_MOVABLE);

    if (!page)
        return false;
    write_contents(page, index);
    preempt_disable();
    movable.entry[index] = (struct movable){.page = page};
    page_set_owner(page, movable.owner.id, index);
    preempt_enable();
    return true;
}

bool movable_add(void)
{
    if (movable.count == movable.max || !movable_take(movable.count))
        return false;
    movable.count++;
    return true;
}

void movable_fill(struct test *t)
{
    uint32_t total = MIN(nr_free_pages(movable.zone), movable.max);

    while (movable_add())
        if (movable.count % 1024 == 0)
            test_progress(t, movable.count, total);
    TEST_CHECK(t, nr_free_pages(movable.zone) == 0, "%u pages are free, but can't be had",
               nr_free_pages(movable.zone));
}

void movable_drop(uint32_t index)
{
    struct movable *m = &movable.entry[index];
    struct page *page;

    preempt_disable();
    page = m->page;
    m->page = NULL;
    if (page) {
        page_set_owner(page, PAGE_OWNER_NONE, 0);
        __free_page(page);
    }
    preempt_enable();
}

void movable_spread(struct prng *prng)
{
    uint32_t salt = prng_u32(prng);

    for (uint32_t i = 0; i < movable.count; i++) {
        pfn_t pfn = movable.entry[i].page ? page_to_pfn(movable.entry[i].page) : 0;
        uint32_t stays = hash32(salt ^ pfn / SPREAD_PAGES) % SPREAD_PAGES;

        if (prng_u32(prng) & 1 && pfn % SPREAD_PAGES != stays)
            movable_drop(i);
    }
    drain_all_pages();
}

bool movable_holds(const void *window, uint32_t index, unsigned *word)
{
    const volatile uint32_t *words = window;

    for (*word = 0; *word < WORDS; ++*word)
        if (words[*word] != movable_word(index, *word))
            return false;
    return true;
}

static void check_entry(struct test *t, uint32_t index)
{
    const struct movable *m = &movable.entry[index];
    const uint32_t *window;
    unsigned word;

    if (!TEST_CHECK(t,
                    !m->page->free && m->page->allocated && m->page->order == 0 &&
                        m->page->owner == movable.owner.id && m->page->index == index,
                    "page %u: physical 0x%llx is free, or another owner's, or has another number",
                    index, addr_number(page_to_phys(m->page))))
        return;
    window = kmap_local_page(m->page);
    if (!movable_holds(window, index, &word))
        test_fail(t, "page %u: physical 0x%llx holds 0x%08x, 0x%08x wanted", index,
                  addr_number(page_to_phys(m->page) + (uint64_t)word * sizeof(uint32_t)),
                  window[word], movable_word(index, word));
    kunmap_local(window);
}

void movable_check(struct test *t)
{
    for (uint32_t i = 0; i < movable.count && !test_should_stop(t); i++)
        if (movable.entry[i].page)
            check_entry(t, i);
    TEST_CHECK(t, movable.wrong == 0, "%u times the owner was told what is not so", movable.wrong);
}
