/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From 32-bit UEFI, which may run without paging or with any kind of it, and with NX (OVMF has PAE
 * and NX on). Called as C (cdecl) from a copy at an address that is physical and virtual: entry
 * address, information structure, flags on the stack. Does not return.
 */
#include "loader/handoff.h"
#include "loader/handoff-bits.h"
#include "loader/multiboot2.h"

        .text
        .code32
        .globl  handoff_code
        .hidden handoff_code
handoff_code:
        cli
        cld
        mov     4(%esp), %edi
        mov     8(%esp), %esi
        mov     12(%esp), %ebx
        call    1f
1:      pop     %ebp
        sub     $(1b - handoff_code), %ebp      /* EBP: where this copy lies */

        mov     %cr4, %eax
        and     $HANDOFF_CR4_PAGING, %eax
        mov     %eax, %cr4              /* no CET, PGE, SMEP, SMAP, ... */

        lea     handoff_gdt - handoff_code(%ebp), %eax
        sub     $8, %esp
        movw    $(handoff_gdt_end - handoff_gdt - 1), (%esp)
        mov     %eax, 2(%esp)
        lgdt    (%esp)                  /* our GDT; the old selectors stay in use for a moment */

        lea     handoff_tail - handoff_code(%ebp), %eax
        add     $HANDOFF_BYTES, %ebp    /* EBP: our own stack */
        push    $(handoff_gdt_code - handoff_gdt)
        push    %eax
        lret                            /* our code segment */

#include "loader/handoff-tail.S"
