/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the descriptors of slabs lie: pages cut into pieces, which go back when they are empty. */
#include "lib/bitmap.h"
#include "lib/inject.h"
#include "lib/list.h"
#include "lib/string.h"
#include "paging/preempt.h"
#include "paging/slab_internal.h"

#define PIECES (PAGE_SIZE / SLAB_DESCRIPTOR_BYTES)
#define LOOKS 8u /* at pages that may have no run long enough, before a new one is made */

/* The start of such a page; it takes pieces of its own. */
struct descriptor_page {
    struct list_head link;
    uint32_t used; /* pieces */
    uint32_t map[BITMAP_WORDS(PIECES)];
};

/* Those with a free piece, and those without; the ones that changed last come first. */
static struct list_head pages = LIST_HEAD_INIT(pages);
static struct list_head full_pages = LIST_HEAD_INIT(full_pages);

static uint32_t pieces_of(size_t bytes)
{
    return (uint32_t)((bytes + SLAB_DESCRIPTOR_BYTES - 1) / SLAB_DESCRIPTOR_BYTES);
}

static uint32_t pieces_for(uint32_t objects)
{
    return pieces_of(sizeof(struct slab) + BITMAP_WORDS(objects) * sizeof(uint32_t));
}

static struct slab *take_from(struct descriptor_page *page, uint32_t count)
{
    uint32_t at;

    if (PIECES - page->used < count)
        return NULL;
    at = bitmap_find_free_run(page->map, PIECES, 0, count);
    if (at == PIECES)
        return NULL;
    bitmap_set_range(page->map, at, count);
    page->used += count;
    if (page->used == PIECES && !inject(slab_full_descriptors_stay, slab)) {
        list_del(&page->link);
        list_add(&page->link, &full_pages);
    }
    return (struct slab *)((char *)page + at * SLAB_DESCRIPTOR_BYTES);
}

static struct slab *take(uint32_t count)
{
    struct descriptor_page *page;
    struct slab *slab = NULL;
    unsigned looks = 0;

    list_for_each_entry (page, &pages, link) {
        if (looks++ == LOOKS)
            break;
        slab = take_from(page, count);
        if (slab)
            break;
    }
    return slab;
}

struct slab *slab_descriptor_alloc(uint32_t objects, gfp_t gfp)
{
    uint32_t count = pieces_for(objects), head = pieces_of(sizeof(struct descriptor_page));
    struct descriptor_page *page;
    struct slab *slab;

    preempt_disable();
    slab = take(count);
    preempt_enable();
    if (slab)
        return slab;
    page = __get_free_pages(gfp, 0);
    if (!page)
        return NULL;
    memset(page, 0, sizeof(*page));
    page_set_owner(virt_to_page(page), PAGE_OWNER_SLAB, SLAB_INDEX_DESCRIPTORS);
    bitmap_set_range(page->map, 0, head);
    page->used = head;
    preempt_disable();
    list_add(&page->link, &pages);
    slab = take_from(page, count);
    preempt_enable();
    return slab;
}

void slab_descriptor_free(struct slab *slab, uint32_t objects)
{
    struct descriptor_page *page = (struct descriptor_page *)ALIGN_DOWN((virt_t)slab, PAGE_SIZE);
    uint32_t count = pieces_for(objects);

    bitmap_clear_range(page->map, (uint32_t)((uintptr_t)slab % PAGE_SIZE / SLAB_DESCRIPTOR_BYTES),
                       count);
    page->used -= count;
    list_del(&page->link);
    if (page->used > pieces_of(sizeof(*page)) || inject(slab_keep_descriptors, slab))
        list_add(&page->link, &pages);
    else
        free_pages(page, 0);
}

static const char *check_list(const struct list_head *list, virt_t *where)
{
    const struct descriptor_page *page;

    list_for_each_entry (page, list, link) {
        *where = (virt_t)page;
        if (bitmap_weight(page->map, PIECES) != page->used)
            return "a page of descriptors has another count than its map";
        if (page->used <= pieces_of(sizeof(*page)))
            return "a page of descriptors is empty";
        if ((page->used == PIECES) != (list == &full_pages))
            return "a page of descriptors is in the wrong list";
    }
    return NULL;
}

const char *slab_descriptor_check(virt_t *where)
{
    const char *wrong = check_list(&pages, where);

    return wrong ? wrong : check_list(&full_pages, where);
}
