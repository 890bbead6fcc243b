/* SPDX-License-Identifier: BSD-2-Clause */
#include "paging/highmem.h"
#include "lib/string.h"
#include "lib/x86/page_ops.h"
#include "paging/kmap_local.h"

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
