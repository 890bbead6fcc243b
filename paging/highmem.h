/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAGING_HIGHMEM_H
#define PAGING_HIGHMEM_H

/*
 * Contents of pages that may be highmem, through short windows. Context: any, unless
 * said otherwise.
 */

#include "paging/page.h"

void clear_highpage(struct page *page);
void copy_highpage(struct page *to, struct page *from);

/*
 * Whole runs of pages that are physically contiguous, through large windows where one is to be had
 * at once, else page by page. Runs that overlap are not copied right. Context: thread.
 */
void clear_highpages(struct page *first, unsigned nr_pages);
void copy_highpages(struct page *to, struct page *from, unsigned nr_pages);

/*
 * Copies len bytes at `offset` of a block of pages from or to memory; the range may run over
 * several pages that are physically contiguous. offset: from the start of `page`.
 */
void memcpy_from_page(void *to, struct page *page, size_t offset, size_t len);
void memcpy_to_page(struct page *page, size_t offset, const void *from, size_t len);

/* Fills the same kind of range with a byte. */
void memset_page(struct page *page, size_t offset, int byte, size_t len);

#endif
