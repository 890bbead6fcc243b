/* SPDX-License-Identifier: BSD-2-Clause */
#include "paging/highmem.h"
#include "lib/string.h"
#include "lib/x86/page_ops.h"
#include "paging/kmap_local.h"
#include "paging/kmap_range.h"

#define WORTH_A_RANGE 8u /* pages; for fewer, short windows are as cheap, and flush less */

void clear_highpage(struct page *page)
{
    void *addr = kmap_local_page(page);

    clear_page(addr);
    kunmap_local(addr);
}

void copy_highpage(struct page *to, struct page *from)
{
    void *source = kmap_local_page(from);
    void *target = kmap_local_page(to);

    copy_page(target, source);
    kunmap_local(target);
    kunmap_local(source);
}

/* Pages of a run up to the next border of 2 MiB, so that all but its ends can be large pages. */
static unsigned next_part(const struct page *first, unsigned nr_pages)
{
    return MIN(nr_pages, KMAP_RANGE_PAGES - page_to_pfn(first) % KMAP_RANGE_PAGES);
}

void clear_highpages(struct page *first, unsigned nr_pages)
{
    while (nr_pages > 0) {
        unsigned part = next_part(first, nr_pages);
        void *window = part >= WORTH_A_RANGE ? kmap_range_try(first, part) : NULL;

        if (window) {
            memset(window, 0, part * PAGE_SIZE);
            kunmap_range(window);
        } else {
            for (unsigned i = 0; i < part; i++)
                clear_highpage(first + i);
        }
        first += part;
        nr_pages -= part;
    }
}

void copy_highpages(struct page *to, struct page *from, unsigned nr_pages)
{
    while (nr_pages > 0) {
        unsigned part = MIN(nr_pages, KMAP_PAIR_PAGES);
        char *window = part >= WORTH_A_RANGE ? kmap_pair_try(from, to, part) : NULL;

        if (window) {
            memcpy(window + kmap_pair_offset(part), window, part * PAGE_SIZE);
            kunmap_range(window);
        } else {
            for (unsigned i = 0; i < part; i++)
                copy_highpage(to + i, from + i);
        }
        to += part;
        from += part;
        nr_pages -= part;
    }
}

/* How much of a range that is `len` long lies in the page that holds its first byte. */
static size_t first_part(size_t offset_in_page, size_t len)
{
    return MIN(len, PAGE_SIZE - offset_in_page);
}

void memcpy_from_page(void *to, struct page *page, size_t offset, size_t len)
{
    char *out = to;

    while (len) {
        size_t in_page = offset & PAGE_MASK, part = first_part(in_page, len);
        char *addr = kmap_local_page(page + (offset >> PAGE_SHIFT));

        memcpy(out, addr + in_page, part);
        kunmap_local(addr);
        out += part;
        offset += part;
        len -= part;
    }
}

void memcpy_to_page(struct page *page, size_t offset, const void *from, size_t len)
{
    const char *in = from;

    while (len) {
        size_t in_page = offset & PAGE_MASK, part = first_part(in_page, len);
        char *addr = kmap_local_page(page + (offset >> PAGE_SHIFT));

        memcpy(addr + in_page, in, part);
        kunmap_local(addr);
        in += part;
        offset += part;
        len -= part;
    }
}

void memset_page(struct page *page, size_t offset, int byte, size_t len)
{
    while (len) {
        size_t in_page = offset & PAGE_MASK, part = first_part(in_page, len);
        char *addr = kmap_local_page(page + (offset >> PAGE_SHIFT));

        memset(addr + in_page, byte, part);
        kunmap_local(addr);
        offset += part;
        len -= part;
    }
}
