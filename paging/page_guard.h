/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAGING_PAGE_GUARD_H
#define PAGING_PAGE_GUARD_H

/*
 * Pages that the CPU should leave alone for a while, and who notices if it does not.
 *
 * A guarded page can't be written, or not even read, through the direct map, its kmap() window, and
 * windows of kmap_local_page() that are opened after it was guarded. The access faults, the trap
 * code asks page_guard_fault(), and that tells the hook, takes the guard away and has the access
 * repeated. Windows that are older, those of kmap_local_pfn() and kmap_range(), and what a device
 * does are not noticed.
 *
 * Costs nothing while no page is guarded. A 2 MiB page of the direct map is split for the first
 * guard in it and put together again after the last one, so that the tables are then as before.
 * While a highmem page is guarded, no window of kmap_local_page() is opened the quick way
 * (paging/kmap_local_mask.h), and none of kmap() that the page does not have yet.
 *
 * The entry of a guarded page has PTE_GUARD, a bit that processors ignore (SDM vol. 3A, tables 4-9
 * to 4-11), keeps its frame, and lacks PTE_WRITE or PTE_PRESENT as well.
 */

#include "paging/page.h"

#define PTE_GUARD BIT64(9)

#define PAGE_GUARDS_MAX 1024u     /* guards at a time, of all pages and owners */
#define PAGE_GUARD_SPLITS_MAX 16u /* 2 MiB pages of the direct map that are split at a time */

/*
 * Told of an access: by whose guard, of which byte, whether it wrote, and by which instruction. All
 * guards of that owner are gone already. Better only takes notes: it has little stack, and who was
 * interrupted may be anybody. Context: that of the access, interrupts off.
 */
typedef void (*page_guard_fn)(uint32_t owner, phys_addr_t at, bool write, const void *eip);

#if __STDC_HOSTED__ /* no faults there, and so no guards */
static inline void page_guard_set_hook(page_guard_fn fn)
{
    (void)fn;
}

static inline bool page_guard(pfn_t pfn, uint32_t owner, bool may_read)
{
    (void)pfn, (void)owner, (void)may_read;
    return false;
}

static inline void page_unguard(uint32_t owner)
{
    (void)owner;
}

static inline bool page_guard_has_high(void)
{
    return false;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): the machine's writes it */
static inline void page_guard_window(pte_t *entry, virt_t window, pfn_t pfn)
{
    (void)entry, (void)window, (void)pfn;
}
#else

void page_guard_set_hook(page_guard_fn fn);

/*
 * Guards a page on behalf of `owner`, against writes (may_read) or all access. Several owners may
 * guard the same one. False if that can't be: too many guards, no memory to split a large page, or
 * a page that is not writable anyway. In an interrupt only what needs no split.
 */
bool page_guard(pfn_t pfn, uint32_t owner, bool may_read);

/* Takes all guards of `owner` away. Context: any; in an interrupt, split pages stay so. */
void page_unguard(uint32_t owner);

/*
 * For the trap code: true if the page fault was an access to a guarded page, which was told and may
 * now be repeated. Context: the fault, interrupts off.
 */
bool page_guard_fault(virt_t addr, bool write, const void *eip);

/* For windows: whether a highmem page is guarded, and guards a new window if its page is. */
bool page_guard_has_high(void);
void page_guard_window(pte_t *entry, virt_t window, pfn_t pfn);

/* How many guards there are, and how many 2 MiB pages are split; for suites. */
unsigned page_guard_count(void);
unsigned page_guard_splits(void);
#endif

#endif
