/* SPDX-License-Identifier: BSD-2-Clause */
/* What the allocator calls, and the host lacks: memory of a word a frame, windows, findings. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ci/model/page_state.h"
#include "lib/finding.h"
#include "lib/inject.h"
#include "paging/highmem.h"
#include "paging/kmap.h"
#include "paging/kmap_local.h"

struct cpu *this_cpu(void)
{
    static struct cpu cpu;

    return &cpu;
}

bool inject_host(const char *name)
{
    return m.broken && !strcmp(name, m.broken);
}

void finding(const char *fmt, ...)
{
    va_list args;

    m.findings++;
    va_start(args, fmt);
    vsnprintf(m.finding, sizeof(m.finding), fmt, args);
    va_end(args);
}

static bool is_frame(pfn_t pfn)
{
    CHECK(pfn < m.nr_pfn, "a window to frame %u, of %u", pfn, m.nr_pfn);
    return pfn < m.nr_pfn;
}

/* Only what is free, or being given out, may be written to by the allocator. */
static void write_word(pfn_t pfn, uint32_t word)
{
    CHECK(m.frame[pfn] == FREE, "the allocator writes to frame %u, which is not free", pfn);
    CHECK(!m.map[pfn].free, "the allocator writes to frame %u, which is still in a list", pfn);
    m.word[pfn] = word;
    m.words_written++;
}

void clear_highpages(struct page *first, unsigned nr_pages)
{
    for (unsigned i = 0; i < nr_pages && is_frame(page_to_pfn(first + i)); i++)
        write_word(page_to_pfn(first + i), 0);
}

void clear_highpage(struct page *page)
{
    clear_highpages(page, 1);
}

void copy_highpage(struct page *to, struct page *from)
{
    if (is_frame(page_to_pfn(to)) && is_frame(page_to_pfn(from)))
        write_word(page_to_pfn(to), m.word[page_to_pfn(from)]);
}

unsigned kmap_local_depth(void)
{
    return 0;
}

bool kmap_forget(struct page *page)
{
    pfn_t pfn = page_to_pfn(page);
    unsigned window = page->kmap - 1;

    CHECK(window < NR_WINDOWS && m.window[window].pfn == pfn,
          "kmap_forget() of frame %u, which has no window", pfn);
    CHECK(this_cpu()->preempt_count, "kmap_forget() with preemption on");
    if (window >= NR_WINDOWS || m.window[window].in_use)
        return false;
    m.window[window].pfn = 0;
    page->kmap = 0;
    return true;
}

bool has_window_in_use(const struct block *block)
{
    for (unsigned i = 0; i < NR_WINDOWS; i++) {
        pfn_t pfn = m.window[i].pfn;

        if (pfn && m.window[i].in_use && pfn >= block->pfn &&
            pfn < block->pfn + (1u << block->order))
            return true;
    }
    return false;
}

/* The user's side of windows. */

void do_kmap(const struct op *op)
{
    struct block *block = pick_block(op->at);
    unsigned window = op->more % NR_WINDOWS;
    struct page *page;

    if (!block || m.window[window].in_use)
        return;
    page = m.map + block->pfn + op->more / NR_WINDOWS % (1u << block->order);
    if (!PageHighMem(page))
        return;
    if (page->kmap) {
        m.window[page->kmap - 1].in_use = true;
        return;
    }
    if (m.window[window].pfn)
        m.map[m.window[window].pfn].kmap = 0;
    m.window[window].pfn = page_to_pfn(page);
    m.window[window].in_use = true;
    page->kmap = window + 1;
}

void do_kunmap(const struct op *op)
{
    m.window[op->more % NR_WINDOWS].in_use = false;
}
