/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_ENTRY_H
#define PAYLOAD_ENTRY_H

/*
 * What entry.S and C share: the way from the loader into paging, and the linker's symbols.
 *
 *     _start -> flat_main() (paging off, payload/early/) -> paged_main() (payload/main.c)
 */

#define PAGING_SWITCH_CR3_TEMPORARY 0
#define PAGING_SWITCH_CR3 4
#define PAGING_SWITCH_PAGE_OFFSET 8

#define BOOT_STACK_BYTES 8192
#define FAULT_STACK_BYTES 8192

#ifndef __ASSEMBLER__

#include "lib/types.h"

/* What flat_main() leaves for entry.S. */
struct paging_switch {
    uint32_t cr3_temporary; /* the first GiB is mapped one to one as well */
    uint32_t cr3;
    uint32_t page_offset;
};

_Static_assert(offsetof(struct paging_switch, cr3_temporary) == PAGING_SWITCH_CR3_TEMPORARY, "");
_Static_assert(offsetof(struct paging_switch, cr3) == PAGING_SWITCH_CR3, "");
_Static_assert(offsetof(struct paging_switch, page_offset) == PAGING_SWITCH_PAGE_OFFSET, "");

/*
 * All that happens before paging: boot facts, options, consoles, the check of the CPU, the memory
 * map and the page tables. magic, info: as the loader passed them; image: physical address of
 * image_start. Does not return if the machine can't run the payload.
 */
struct paging_switch *flat_main(uint32_t magic, uint32_t info, uint32_t image);

/* All that happens after it. */
__noreturn void paged_main(void);

/* The low half of the TSC at _start; 0 if the processor has none. */
extern uint32_t entry_tsc;

extern char image_start[], text_start[], text_end[], rodata_start[], data_start[], bss_end[],
    image_end[];
extern char boot_stack_guard[], boot_stack[], boot_stack_end[];
extern char fault_stack_guard[], fault_stack[], fault_stack_end[], last_stack_guard[];

#endif
#endif
