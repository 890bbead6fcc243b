/* SPDX-License-Identifier: BSD-2-Clause */
#include "ci/model/broke.h"
#include "ci/model/model.h"

#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "ci/model/processor.h"
#include "ci/model/under_test.h"
#include "paging/kmap.h"
#include "paging/kmap_local.h"
#include "paging/wait.h"

#define STACK_BYTES (64u << 10)
#define IRQ_WINDOWS_MAX 2u
#define SOME_PFN 0x00abcde1u /* of a frame without a descriptor, above 4 GiB */

enum state {
    STATE_IDLE,
    STATE_ASLEEP,
    STATE_WOKEN,  /* a window is kept for it */
    STATE_STOPPED /* in the middle of an operation */
};

struct thread {
    enum state state;
    struct list_head link;
    bool was_woken, must_sleep;
    uint32_t preempt_count; /* while it sleeps */
    struct op op;
    /* its short windows: what the model says, and what is kept of them while others run */
    pfn_t local[KMAP_LOCAL_DEPTH];
    unsigned depth;
    struct kmap_local_saved saved;
    ucontext_t context;
    bool has_context;
    char *stack;
};

struct mapping {
    unsigned uses;
    virt_t window;
    bool free;
    struct page descriptor; /* of a free page: not kmap's */
};

static struct {
    struct thread thread[MODEL_THREADS];
    struct thread *current;
    struct mapping mapping[MODEL_PAGES];
    unsigned used;
    uint32_t findings, wraps_before, resets;
    ucontext_t scheduler;
    bool in_coroutine, in_irq;
    unsigned accesses; /* of the current operation */
} m;

static unsigned number_of(const struct thread *t)
{
    return (unsigned)(t - m.thread);
}

static unsigned threads_in(enum state state)
{
    unsigned count = 0;

    for (unsigned i = 0; i < MODEL_THREADS; i++)
        count += m.thread[i].state == state;
    return count;
}

static void back_to_scheduler(struct thread *t)
{
    m.in_coroutine = false;
    swapcontext(&t->context, &m.scheduler);
}

/* The threads that the code under test sleeps in. */

static bool fake_sleep(struct wait_queue *queue)
{
    struct thread *t = m.current;

    CHECK(t->must_sleep, "thread %u sleeps, though there is a window for it", number_of(t));
    if (!m.in_coroutine || threads_in(STATE_ASLEEP) == MODEL_THREADS - 1)
        return false;
    model_now->count[COUNT_SLEPT]++;
    t->state = STATE_ASLEEP;
    t->was_woken = false;
    list_add_tail(&t->link, &queue->sleepers);
    t->preempt_count = processor.cpu.preempt_count;
    processor.cpu.preempt_count = 0;
    back_to_scheduler(t);
    t->state = STATE_IDLE;
    processor.cpu.preempt_count = t->preempt_count;
    return t->was_woken;
}

static void fake_wake(struct wait_queue *queue)
{
    struct thread *t = list_first_entry(&queue->sleepers, struct thread, link);

    list_del(&t->link);
    t->state = STATE_WOKEN;
    t->was_woken = true;
}

static const struct wait_ops ops = {.sleep = fake_sleep, .wake = fake_wake};

/* What comes in the middle. */

static void interrupt(void)
{
    void *window[IRQ_WINDOWS_MAX];
    unsigned depth = kmap_local_depth(), count = MIN(KMAP_LOCAL_DEPTH - depth, IRQ_WINDOWS_MAX);

    m.in_irq = true;
    model_now->count[COUNT_INTERRUPTED]++;
    for (unsigned i = 0; i < count; i++)
        window[i] = kmap_local_pfn(SOME_PFN + i);
    for (unsigned i = count; i > 0; i--) {
        CHECK(processor_frame_at((virt_t)window[i - 1]) == SOME_PFN + i - 1,
              "an interrupt's window %u shows frame 0x%x", i - 1,
              processor_frame_at((virt_t)window[i - 1]));
        kunmap_local(window[i - 1]);
        CHECK(processor_frame_at((virt_t)window[i - 1]) == NO_PAGE,
              "an interrupt's window %u does not fault after it was given back", i - 1);
    }
    CHECK(kmap_local_depth() == depth, "%u windows after an interrupt, %u before",
          kmap_local_depth(), depth);
    m.in_irq = false;
}

static void on_access(void)
{
    struct thread *t = m.current;

    if (m.in_irq || ++m.accesses != t->op.at + 1u)
        return;
    if (t->op.event == EVENT_IRQ) {
        interrupt();
    } else if (t->op.event == EVENT_PREEMPT && m.in_coroutine && !processor.cpu.preempt_count) {
        model_now->count[COUNT_PREEMPTED]++;
        t->state = STATE_STOPPED;
        back_to_scheduler(t);
        t->state = STATE_IDLE;
    }
}

/* One operation, with what the model says to it. */

static pfn_t pfn_of(unsigned page)
{
    return MODEL_FIRST_PFN + page;
}

static bool is_high(unsigned page)
{
    return page >= MODEL_LOW_PAGES;
}

/* Whether kmap() by this thread has to sleep: no window is left but those kept for others. */
static bool must_sleep(unsigned page)
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

static void (*const actions[NR_OP_KINDS])(struct thread *t) = {
    [OP_KMAP] = do_kmap,       [OP_KUNMAP] = do_kunmap,   [OP_LOCAL] = do_local,
    [OP_LOCAL_PFN] = do_local, [OP_UNLOCAL] = do_unlocal, [OP_UNLOCAL_WRONG] = do_unlocal_wrong,
    [OP_FREE] = do_free,       [OP_ALLOC] = do_alloc,
};

static void act(struct thread *t)
{
    m.accesses = 0;
    processor_on_access =
        t->op.event == EVENT_IRQ || t->op.event == EVENT_PREEMPT ? on_access : NULL;
    processor.greedy = t->op.event == EVENT_WALK;
    actions[t->op.kind](t);
}

static void thread_main(void)
{
    for (;;) {
        struct thread *t = m.current;

        act(t);
        back_to_scheduler(t);
    }
}

static void enter(struct thread *t)
{
    if (!t->has_context) {
        getcontext(&t->context);
        t->context.uc_stack.ss_sp = t->stack;
        t->context.uc_stack.ss_size = STACK_BYTES;
        makecontext(&t->context, thread_main, 0);
        t->has_context = true;
    }
    m.in_coroutine = true;
    swapcontext(&m.scheduler, &t->context);
    /* Nothing goes on by itself now; what it stopped in may go on later. */
    processor_on_access = NULL;
    processor.greedy = false;
}

static void drop_thread(struct thread *t)
{
    /* A coroutine that is in the middle of something is never entered again. */
    t->has_context = false;
    t->state = STATE_IDLE;
    t->depth = 0;
    kmap_local_saved_init(&t->saved);
    list_init(&t->link);
}

static void do_reset(void)
{
    unsigned used;

    for (unsigned i = 0; i < MODEL_THREADS; i++)
        drop_thread(&m.thread[i]);
    processor.cpu.preempt_count = 0;
    kmap_local_unwind(0);
    used = kmap_reset();
    CHECK(used == m.used, "kmap_reset() has found %u windows in use, there were %u", used, m.used);
    m.used = 0;
    m.resets++;
    for (unsigned i = 0; i < MODEL_PAGES; i++)
        m.mapping[i].uses = 0;
}

static void switch_to(struct thread *t)
{
    struct thread *last = m.current;

    if (t == last)
        return;
    m.current = t;
    kmap_local_switch(&last->saved, &t->saved);
}

static void forsake(struct thread *t)
{
    list_del(&t->link);
    switch_to(t);
    enter(t);
}

static void do_op(const struct op *op)
{
    struct thread *t = &m.thread[op->thread];

    if (op->kind == OP_RESET) {
        do_reset();
        return;
    }
    if (t->state == STATE_ASLEEP) {
        if (op->kind == OP_FORSAKE)
            forsake(t);
        return;
    }
    switch_to(t);
    if (t->state != STATE_IDLE) {
        enter(t);
        return;
    }
    if (op->kind == OP_FORSAKE)
        return;
    t->op = *op;
    /* Only short windows are looked into in the middle; the rest is under preempt_disable(). */
    if (op->event == EVENT_PREEMPT && op->kind != OP_LOCAL && op->kind != OP_LOCAL_PFN &&
        op->kind != OP_UNLOCAL)
        t->op.event = EVENT_NONE;
    if (t->op.event == EVENT_PREEMPT || (op->kind == OP_KMAP && must_sleep(op->page)))
        enter(t);
    else
        act(t);
}

/* What must hold between operations. */

static void check_window(const char *kind, virt_t window, pfn_t pfn)
{
    uint32_t frame = processor_frame_at(window);

    CHECK(frame == pfn, "%s window 0x%lx shows frame 0x%x, 0x%x wanted", kind,
          (unsigned long)window, frame, pfn);
    CHECK(processor_entry_is_plain(window), "%s window 0x%lx has other bits than it should", kind,
          (unsigned long)window);
    CHECK(processor_frame_at(window + PAGE_SIZE) == NO_PAGE,
          "the page behind %s window 0x%lx does not fault", kind, (unsigned long)window);
}

static void check_pages(void)
{
    unsigned taken = 0;

    for (unsigned i = MODEL_LOW_PAGES; i < MODEL_PAGES; i++) {
        const struct mapping *map = &m.mapping[i];
        const struct page *page = &processor.map[i];
        unsigned slot = (unsigned)((map->window - PKMAP_BASE) / (virt_t)PKMAP_STRIDE);

        if (map->free)
            CHECK(!memcmp(page, &map->descriptor, sizeof(*page)),
                  "the descriptor of the free page %u was written", i);
        if (!map->uses) {
            CHECK(!page_address(page), "page %u, not mapped, has an address", i);
            continue;
        }
        CHECK(slot < LAST_PKMAP && map->window == pkmap_addr(slot) && !(taken & BIT(slot)),
              "page %u has the window 0x%lx, which is another's or none", i,
              (unsigned long)map->window);
        taken |= BIT(slot % 32);
        CHECK((virt_t)page_address(page) == map->window, "page_address() of page %u is 0x%lx", i,
              (unsigned long)page_address(page));
        CHECK(kmap_pool.count[slot % LAST_PKMAP] == map->uses + 1,
              "page %u is mapped %u times, its count is %u", i, map->uses,
              kmap_pool.count[slot % LAST_PKMAP]);
        check_window("kmap", map->window, pfn_of(i));
    }
}

static void check_threads(void)
{
    const struct thread *t = m.current;
    /* Of one that stands in the middle of opening or closing a window, the others are looked at. */
    unsigned whole = t->depth;

    if (t->state == STATE_STOPPED && t->op.kind == OP_UNLOCAL)
        whole--;
    for (unsigned i = 0; i < whole; i++)
        check_window("short", kmap_local_addr(i), t->local[i]);
    if (t->state == STATE_STOPPED)
        return;
    CHECK(kmap_local_depth() == t->depth, "thread %u has %u short windows, %u wanted", number_of(t),
          kmap_local_depth(), t->depth);
    for (unsigned i = t->depth; i < KMAP_LOCAL_DEPTH; i++)
        CHECK(processor_frame_at(kmap_local_addr(i)) == NO_PAGE,
              "short window %u is closed, and shows frame 0x%x", i,
              processor_frame_at(kmap_local_addr(i)));
    CHECK(!processor.cpu.preempt_count, "preemption is off %u times after an operation",
          processor.cpu.preempt_count);
}

static void check_all(void)
{
    unsigned free_slots, used_slots, asleep = threads_in(STATE_ASLEEP);
    unsigned kept = threads_in(STATE_WOKEN);

    processor_walk_all();
    check_pages();
    check_threads();
    kmap_usage(&free_slots, &used_slots);
    CHECK(used_slots == m.used && free_slots + used_slots <= LAST_PKMAP,
          "%u slots in use and %u free, %u in use wanted", used_slots, free_slots, m.used);
    CHECK(under_test_kept() == kept, "%u windows are kept, for %u threads", under_test_kept(),
          kept);
    CHECK(kmap_pool.waiting == asleep + kept, "it thinks %u threads wait, %u do", kmap_pool.waiting,
          asleep + kept);
    CHECK(LAST_PKMAP - used_slots >= kept, "%u windows are kept, %u are there", kept,
          LAST_PKMAP - used_slots);
    CHECK(!asleep || LAST_PKMAP - used_slots <= kept,
          "%u threads sleep, and a window is there for nobody", asleep);
    CHECK(processor.findings == m.findings, "%u findings, %u wanted", processor.findings,
          m.findings);
    CHECK(processor.full_flushes <= kmap_counters.wraps + m.resets, "%u full flushes for %u wraps",
          processor.full_flushes, kmap_counters.wraps);
}

static void start(const char *broken)
{
    char *stack[MODEL_THREADS];

    for (unsigned i = 0; i < MODEL_THREADS; i++) {
        stack[i] = m.thread[i].stack ? m.thread[i].stack : malloc(STACK_BYTES);
        if (!stack[i])
            abort();
    }
    memset(&m, 0, sizeof(m));
    for (unsigned i = 0; i < MODEL_THREADS; i++) {
        m.thread[i].stack = stack[i];
        list_init(&m.thread[i].link);
    }
    m.current = &m.thread[0];
    processor_on_access = NULL;
    processor_start(broken);
    under_test_start();
    wait_set_ops(&ops);
}

bool model_run(const struct op *sequence, size_t count, const char *broken,
               struct model_result *result)
{
    *result = (struct model_result){0};
    start(broken);
    model_now = result;
    while (result->done < count && !result->text[0]) {
        struct op op = sequence[result->done++];

        op.thread %= MODEL_THREADS;
        op.kind %= NR_OP_KINDS;
        op.page %= MODEL_PAGES;
        op.event %= NR_EVENTS;
        do_op(&op);
        check_all();
    }
    result->count[COUNT_WRAPS] = kmap_counters.wraps;
    return !result->text[0];
}
