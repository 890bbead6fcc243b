/* SPDX-License-Identifier: BSD-2-Clause */
/* The operations of one thread, with what the model says to them. */
#include "ci/model/kmap_state.h"
#include "ci/model/under_test.h"

pfn_t pfn_of(unsigned page)
{
    return MODEL_FIRST_PFN + page;
}

static bool is_high(unsigned page)
{
    return page >= MODEL_LOW_PAGES;
}

bool must_sleep(unsigned page)
{
    const struct mapping *map = &m.mapping[page];

    if (!is_high(page) || map->free || map->uses)
        return false;
    return threads_in(STATE_ASLEEP) || LAST_PKMAP - m.used <= threads_in(STATE_WOKEN);
}

static void do_kmap(struct thread *t)
{
    unsigned page = t->op.page;
    struct mapping *map = &m.mapping[page];
    uint32_t slept = model_now->count[COUNT_SLEPT];
    virt_t window;

    t->was_woken = false;
    t->must_sleep = must_sleep(page);
    if (threads_in(STATE_WOKEN) || threads_in(STATE_ASLEEP))
        model_now->count[COUNT_CONTENDED]++;
    window = (virt_t)under_test_kmap(&processor.map[page]);
    if (!is_high(page)) {
        CHECK(processor_frame_at(window) == pfn_of(page), "kmap() of lowmem page %u: 0x%lx", page,
              (unsigned long)window);
        return;
    }
    if (map->free) {
        m.findings++;
        CHECK(!window, "kmap() of the free page %u gives 0x%lx", page, (unsigned long)window);
        return;
    }
    if (t->must_sleep && slept == model_now->count[COUNT_SLEPT])
        CHECK(!window, "kmap() has given a window that is kept for another");
    if (t->must_sleep && !t->was_woken && !map->uses) {
        CHECK(!window, "kmap() by a thread that nobody woke gives 0x%lx", (unsigned long)window);
        return;
    }
    if (!window) {
        broke("kmap() by thread %u gives no window: %u in use, %u kept", number_of(t), m.used,
              threads_in(STATE_WOKEN));
        return;
    }
    if (map->uses++ == 0) {
        map->window = window;
        m.used++;
    }
    CHECK(window == map->window, "kmap() gives 0x%lx, the page's window is 0x%lx",
          (unsigned long)window, (unsigned long)map->window);
}

static void do_kunmap(struct thread *t)
{
    struct mapping *map = &m.mapping[t->op.page];

    under_test_kunmap(&processor.map[t->op.page]);
    if (!is_high(t->op.page))
        return;
    if (!map->uses)
        m.findings++;
    else if (--map->uses == 0)
        m.used--;
}

static void do_local(struct thread *t)
{
    unsigned page = t->op.page;
    bool by_number = t->op.kind == OP_LOCAL_PFN;
    pfn_t pfn = by_number ? SOME_PFN + 0x10u * page : pfn_of(page);
    virt_t window =
        (virt_t)(by_number ? kmap_local_pfn(pfn) : under_test_kmap_local(&processor.map[page]));

    if (!by_number && !is_high(page)) {
        CHECK(processor_frame_at(window) == pfn, "kmap_local_page() of lowmem page %u: 0x%lx", page,
              (unsigned long)window);
        return;
    }
    if (t->depth == KMAP_LOCAL_DEPTH) {
        m.findings++;
        CHECK(!window, "a window more than there are, at 0x%lx", (unsigned long)window);
        return;
    }
    CHECK(window == kmap_local_addr(t->depth), "short window %u is at 0x%lx", t->depth,
          (unsigned long)window);
    t->local[t->depth++] = pfn;
}

static void do_unlocal(struct thread *t)
{
    if (!t->depth)
        return;
    under_test_kunmap_local((char *)kmap_local_addr(t->depth - 1) + (ptrdiff_t)t->op.page * 8);
    t->depth--;
}

static void do_unlocal_wrong(struct thread *t)
{
    unsigned window = t->op.page % KMAP_LOCAL_DEPTH;

    if (window + 1 == t->depth)
        return;
    under_test_kunmap_local((void *)kmap_local_addr(window));
    m.findings++;
}

/* As give_back() of the page allocator: a page in use stays, another gets other bits. */
static void do_free(struct thread *t)
{
    struct mapping *map = &m.mapping[t->op.page];
    struct page *page = &processor.map[t->op.page];

    if (map->free || !is_high(t->op.page))
        return;
    if (page->kmap && !kmap_forget(page)) {
        CHECK(map->uses, "page %u, which nobody uses, can't be freed", t->op.page);
        return;
    }
    CHECK(!map->uses, "page %u, which is in use, can be freed", t->op.page);
    page->kmap = 0x01234560u + t->op.page;
    page->free = 1;
    map->descriptor = *page;
    map->free = true;
}

static void do_alloc(struct thread *t)
{
    struct mapping *map = &m.mapping[t->op.page];

    if (!map->free)
        return;
    processor.map[t->op.page] = (struct page){0};
    map->free = false;
}

void (*const actions[NR_OP_KINDS])(struct thread *t) = {
    [OP_KMAP] = do_kmap,       [OP_KUNMAP] = do_kunmap,   [OP_LOCAL] = do_local,
    [OP_LOCAL_PFN] = do_local, [OP_UNLOCAL] = do_unlocal, [OP_UNLOCAL_WRONG] = do_unlocal_wrong,
    [OP_FREE] = do_free,       [OP_ALLOC] = do_alloc,
};
