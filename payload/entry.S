/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the boot loader to paged_main().
 *
 * At _start: 32-bit protected mode, flat segments whose selectors and GDT are the loader's, paging
 * off, interrupts off; EAX is the loader's magic, EBX the physical address of its information
 * structure. The image may lie anywhere in the first GiB; no address in it is right yet.
 */
#include "loader/multiboot1.h"
#include "loader/multiboot2.h"
#include "payload/entry.h"

#define IMAGE_LINK_BASE 0x100000
#define R_386_RELATIVE 8
#define REL_BYTES 8

#define CR0_WP_PG 0x80010000
#define EFLAGS_ID 0x200000
#define CPUID1_EDX_TSC 0x10

        .section .head, "ax"
        .balign 4
multiboot1_header:
#define MB1_FLAGS (MULTIBOOT1_HEADER_PAGE_ALIGN | MULTIBOOT1_HEADER_MEMORY_INFO | MULTIBOOT1_HEADER_AOUT_KLUDGE)
        .long MULTIBOOT1_HEADER_MAGIC
        .long MB1_FLAGS
        .long -(MULTIBOOT1_HEADER_MAGIC + MB1_FLAGS)
        .long multiboot1_header, image_start, load_end, bss_end, _start

        .balign MULTIBOOT2_HEADER_ALIGN
multiboot2_header:
        .long MULTIBOOT2_HEADER_MAGIC
        .long MULTIBOOT2_ARCHITECTURE_I386
        .long multiboot2_header_end - multiboot2_header
        .long -(MULTIBOOT2_HEADER_MAGIC + MULTIBOOT2_ARCHITECTURE_I386 + (multiboot2_header_end - multiboot2_header))
        /* anywhere that the switch to paging can map one to one, rather low */
        .balign MULTIBOOT2_TAG_ALIGN
        .short MULTIBOOT2_HEADER_TAG_RELOCATABLE, 0
        .long MULTIBOOT2_HEADER_TAG_RELOCATABLE_BYTES
        .long IMAGE_LINK_BASE
        .long 0x1fffffff
        .long 4096
        .long MULTIBOOT2_LOAD_PREFERENCE_LOW
        .balign MULTIBOOT2_TAG_ALIGN
        .short MULTIBOOT2_HEADER_TAG_END, 0
        .long MULTIBOOT2_HEADER_TAG_BYTES
multiboot2_header_end:

        .globl _start
_start:
        cli
        cld
        /*
         * Where are we? The call needs a stack, and Multiboot promises none; the information structure
         * can't be overwritten, so borrow its first word: in both versions we can put it back.
         */
        movl (%ebx), %ecx
        leal 4(%ebx), %esp
        call 1f
1:      popl %ebp
        movl %ecx, (%ebx)
        /*
         * EBP: where we are, minus where we were linked. Until the first relocation a symbol must be
         * used with it; from then on a symbol is its physical address.
         */
        subl $1b, %ebp
        leal boot_stack_end(%ebp), %esp

        movl %eax, %esi
        call read_tsc                           /* EDX: when we began */

        /* The loader should have cleared bss; nothing is lost by being sure. */
        leal bss_start(%ebp), %edi
        leal bss_end(%ebp), %ecx
        subl %edi, %ecx
        shrl $2, %ecx
        xorl %eax, %eax
        rep stosl
        movl %edx, entry_tsc(%ebp)

        /* First relocation: every pointer becomes the physical address of its target. */
        pushl %ebx
        pushl %esi
        leal relocations_start(%ebp), %ecx
        leal relocations_end(%ebp), %ebx
        movl %ebp, %edx
        call relocate
        popl %esi
        popl %ebx

        movl %esi, %eax
        movl %ebx, %edx
        movl $image_start, %ecx
        call flat_main                          /* (EAX: magic, EDX: information, ECX: image) */
        /* EAX: struct paging_switch; CR4.PAE and EFER.NXE are set, paging still off. */
        movl PAGING_SWITCH_CR3_TEMPORARY(%eax), %esi
        movl PAGING_SWITCH_CR3(%eax), %edi
        movl PAGING_SWITCH_PAGE_OFFSET(%eax), %edx

        /* Second relocation: every pointer becomes a direct-map address. No C from here to paged. */
        movl $relocations_start, %ecx
        movl $relocations_end, %ebx
        call relocate

        movl %esi, %cr3
        movl %cr0, %eax
        orl $CR0_WP_PG, %eax
        movl %eax, %cr0                         /* paging on, running one to one */
        movl $paged, %eax
        jmp *%eax
paged:
        addl %edx, %esp
        movl %edi, %cr3                         /* the one-to-one map is gone */
        xorl %ebp, %ebp                         /* end of every back trace */
        pushl $0
        call paged_main
        ud2                                     /* it does not return */

/*
 * EDX: low half of the time-stamp counter, 0 if there is none. It has one if EFLAGS.ID can be changed,
 * so that there is CPUID, and leaf 1 says so (SDM vol. 1, 20.1.2; vol. 2A, CPUID). Changes EAX, ECX, EDI.
 */
read_tsc:
        xorl %edx, %edx
        pushfl
        popl %ecx
        movl %ecx, %eax
        xorl $EFLAGS_ID, %eax
        pushl %eax
        popfl
        pushfl
        popl %eax
        xorl %ecx, %eax
        testl $EFLAGS_ID, %eax
        jz 1f
        movl %ebx, %edi
        movl $1, %eax
        cpuid
        movl %edi, %ebx
        testl $CPUID1_EDX_TSC, %edx
        movl $0, %edx
        jz 1f
        rdtsc
        movl %eax, %edx
1:      ret

/*
 * Adds EDX to every word that the relocation table from ECX to EBX names, in an image that lies EBP
 * above the place that it was linked for. Changes EAX, ECX and flags. The words are writable, since
 * paging is off; no instruction in here has one of them, so that it can't pull its own ground away.
 */
relocate:
        cmpl %ebx, %ecx
        jae 3f
        cmpl $R_386_RELATIVE, 4(%ecx)
        jne 2f
        movl (%ecx), %eax
        addl %edx, (%eax, %ebp)
2:      addl $REL_BYTES, %ecx
        jmp relocate
3:      ret

/*
 * Stacks with an unmapped page below each: running over one faults at once, and the fault of the
 * fault finds the double-fault stack.
 */
        .section .stacks, "aw", @nobits
        .balign 4096
        .globl boot_stack_guard, boot_stack, boot_stack_end
        .globl fault_stack_guard, fault_stack, fault_stack_end, last_stack_guard
boot_stack_guard:
        .skip 4096
boot_stack:
        .skip BOOT_STACK_BYTES
boot_stack_end:
fault_stack_guard:
        .skip 4096
fault_stack:
        .skip FAULT_STACK_BYTES
fault_stack_end:
last_stack_guard:
        .skip 4096

        .bss
        .balign 4
        .globl entry_tsc
entry_tsc:
        .long 0

        .section .note.GNU-stack, "", @progbits
