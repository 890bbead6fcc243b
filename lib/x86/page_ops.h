/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LIB_X86_PAGE_OPS_H
#define LIB_X86_PAGE_OPS_H

/*
 * Whole pages at the speed of the string instructions, which every processor with PAE has made fast
 * for aligned blocks; no call, and nothing to find out about size or alignment.
 */

#include "lib/types.h"

#define PAGE_OPS_BYTES 4096u

/* Fills a page, aligned to its size, with zeroes. */
static inline void clear_page(void *page)
{
#if __STDC_HOSTED__
    __builtin_memset(page, 0, PAGE_OPS_BYTES);
#else
    void *to = page;
    uint32_t words = PAGE_OPS_BYTES / sizeof(uint32_t);

    __asm__ volatile("rep stosl" : "+D"(to), "+c"(words) : "a"(0) : "memory");
#endif
}

/* Copies a page over another; both aligned to their size. */
static inline void copy_page(void *to, const void *from)
{
#if __STDC_HOSTED__
    __builtin_memcpy(to, from, PAGE_OPS_BYTES);
#else
    uint32_t words = PAGE_OPS_BYTES / sizeof(uint32_t);

    __asm__ volatile("rep movsl" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
#endif
}

#endif
