/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_ORACLE_H
#define PAYLOAD_ORACLE_H

/*
 * Marked points, at which someone else judges the page tables.
 *
 * With the boot option `oracle`, a point prints what paging believes the address space to be
 * (paging/belief.h), and then stops the machine where the machine is an emulator that can be asked:
 * QEMU by its pvpanic device (which the runner tells it to take for a pause), Bochs by its magic
 * break. The runner compares the two, entry by entry. Elsewhere the block is printed and the run
 * goes on. Without the option a point costs a test of a variable.
 *
 *     # oracle kmap_full begin
 *     # oracle top cr3 37fff000 pdpte 0 0 0 37ffe001 pae 1 pge 0 nxe 1
 *     # oracle map c0000000 0 9f 4K w------ direct          VIRTUAL PHYSICAL PAGES SIZE RIGHTS WHAT
 *     # oracle map ffe01000 ? 1 4K w------ kmap_local       ?: no book of that is kept
 *     # oracle list ffa00000 2 w------ kmap 7ffe1 7ffe2     VIRTUAL STEP RIGHTS WHAT FRAME...
 *     # oracle kmap_full end lines=4
 *
 * All numbers but the count of lines in between are hexadecimal. A list is 4 KiB pages that stand
 * STEP pages apart. Rights, each or "-": w writable, x executable, u user, g global, C PCD, T PWT,
 * P PAT.
 *
 * Context: any; takes no window, changes no mapping, and holds interrupts off meanwhile, which at
 * 115200 baud can take seconds.
 */

#include "lib/types.h"
#include "payload/setup.h"

/* What stands behind oracle_point(). */
void oracle_mark(const char *point);

/* Whether any point has been told so far. */
bool oracle_was_marked(void);

/* A point; `point` is of letters, digits and "_", and the option `oracle=` may leave it out. */
static inline void oracle_point(const char *point)
{
    if (unlikely(setup.options.oracle))
        oracle_mark(point);
}

/*
 * What the caller knows and no book tells: that `window`, of kmap_local_page(), shows `phys`. For
 * the next point only; of more than ORACLE_WINDOWS_MAX the rest is not kept.
 */
#define ORACLE_WINDOWS_MAX 16u
void oracle_window(const void *window, phys_addr_t phys);

#endif
