/* SPDX-License-Identifier: BSD-2-Clause */
/* Processor bits that the hand-off clears, by the names of the Intel SDM. For assembler. */
#ifndef LOADER_HANDOFF_BITS_H
#define LOADER_HANDOFF_BITS_H

#define CR0_PG 0x80000000

#define CR4_PSE 0x0010
#define CR4_PAE 0x0020
#define CR4_LA57 0x1000

/*
 * What says how page tables are read, and so has to stay until paging is off. Everything else can
 * go before, and CET and PCIDE must: a far return would look for a shadow stack, and CR0.PG can't
 * be cleared while PCIDE is set.
 */
#define HANDOFF_CR4_PAGING (CR4_PSE | CR4_PAE | CR4_LA57)

#define MSR_EFER 0xc0000080
#define EFER_LME 0x100
#define EFER_NXE 0x800

#endif
