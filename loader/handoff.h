/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Leaving the firmware's processor mode for the one that Multiboot promises: 32-bit protected mode,
 * paging off, flat segments, interrupts off, EAX and EBX set.
 *
 * Paging can only be switched off by code that lies at the same address without it, and on x64 the
 * loader itself may lie above 4 GiB. So a few instructions (handoff-x64.S or handoff-ia32.S, both
 * closing with handoff-tail.S) are copied to memory below 4 GiB with a GDT of their own and entered
 * there.
 *
 * Usable from assembler.
 */
#ifndef LOADER_HANDOFF_H
#define LOADER_HANDOFF_H

/* Bytes of the memory for the copy, and of the copy; the rest is a stack that grows down from the
 * end. */
#define HANDOFF_BYTES 4096
#define HANDOFF_CODE_BYTES 512

/* Set in `flags`: the processor has the EFER register (a Pentium III has none). */
#define HANDOFF_HAS_EFER 1

#ifndef __ASSEMBLER__

#include <stdint.h>

/*
 * Enters a kernel. Boot services are over.
 *
 * memory: HANDOFF_BYTES of executable memory below 4 GiB, apart from the kernel and mbi.
 * entry, mbi: physical addresses.
 * flags: HANDOFF_*
 */
__attribute__((noreturn)) void handoff(void *memory, uint32_t entry, uint32_t mbi, uint32_t flags);

#endif /* __ASSEMBLER__ */
#endif /* LOADER_HANDOFF_H */
