/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From 64-bit UEFI. Called as C (System V), from a copy below 4 GiB, where virtual addresses are
 * physical ones: EDI entry address, ESI information structure, EDX flags. The stack may lie
 * anywhere. Does not return.
 */
#include "loader/handoff.h"
#include "loader/handoff-bits.h"
#include "loader/multiboot2.h"

        .text
        .code64
        .globl  handoff_code
        .hidden handoff_code
handoff_code:
        cli
        cld
        mov     %edx, %ebx
        lea     handoff_code(%rip), %rbp
        add     $HANDOFF_BYTES, %rbp    /* EBP: our own stack, for later */

        mov     %cr4, %rax
        and     $HANDOFF_CR4_PAGING, %eax
        mov     %rax, %cr4              /* no CET, PCIDE, PGE, SMEP, SMAP, PKE, FRED, ... */

        sub     $16, %rsp
        lea     handoff_gdt(%rip), %rax
        movw    $(handoff_gdt_end - handoff_gdt - 1), (%rsp)
        mov     %rax, 2(%rsp)
        lgdt    (%rsp)                  /* our GDT; the old selectors stay in use for a moment */

        lea     handoff_tail(%rip), %rax
        push    $(handoff_gdt_code - handoff_gdt)
        push    %rax
        lretq                           /* compatibility mode: 32-bit code, 4-level paging */

        .code32
#include "loader/handoff-tail.S"
