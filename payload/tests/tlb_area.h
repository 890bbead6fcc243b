/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_TESTS_TLB_AREA_H
#define PAYLOAD_TESTS_TLB_AREA_H

/*
 * Addresses that nothing else uses, and entries for them, so that a suite can change translations
 * as it likes: from TLB_AREA up, in the first GiB, which is below PAGE_OFFSET in each split. It has
 * a page directory of its own while it is open, and is gone when it is closed.
 *
 * What its pages show is TLB_BLOCKS blocks of 2 MiB in lowmem. The first word of
 * each of their pages is a tag that no other page has, and their first bytes are code that returns
 * the tag's upper 24 bits in EAX.
 */

#include "paging/pte.h"
#include "payload/suite.h"

#define TLB_AREA ((virt_t)0x20000000u)
#define TLB_AREA_TABLE_ORDER 3u /* page tables at its start, as an order of pages */
#define TLB_AREA_PAGES (PTRS_PER_TABLE << TLB_AREA_TABLE_ORDER)
#define TLB_AREA_LARGE_PAGES 256u /* what fits up to the end of the GiB */
#define TLB_BLOCKS 2u
#define TLB_BLOCK_PAGES (LARGE_PAGE_SIZE / PAGE_SIZE)

struct tlb_area {
    pte_t *directory_entry; /* [i]: of the 2 MiB from TLB_AREA + i * LARGE_PAGE_SIZE */
    pte_t *table_entry;     /* [i]: of the page at TLB_AREA + i * PAGE_SIZE */
    phys_addr_t table;      /* where table_entry[0] is */
    phys_addr_t block[TLB_BLOCKS];
    phys_addr_t directory;
    phys_addr_t spare_directory; /* another one, empty */
};

/*
 * The area, every entry empty; NULL after a skip: not enough lowmem in one piece. tlb_area_close()
 * is fine on an area that is not open, so that it can be a suite's abandon hook.
 */
const struct tlb_area *tlb_area_open(struct test *t);
void tlb_area_close(void);

/* The first word of page `page` of block `block`, and what calling it returns. */
uint32_t tlb_tag(unsigned block, unsigned page);

static inline uint32_t tlb_code_result(uint32_t tag)
{
    return tag >> 8;
}

/* Has 2 MiB of the area, by number, mapped by the entries in table_entry. Flushes nothing. */
void tlb_area_use_table(unsigned table);

#endif
