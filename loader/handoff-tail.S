/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The part of the hand-off that both builds share; included at the end of each. Not assembled alone.
 *
 * On entry: 32-bit code segment of our GDT, paging still on, interrupts off, CR4 holds no more than
 * HANDOFF_CR4_PAGING, and
 *   EDI  entry address    ESI  information structure    EBX  HANDOFF_* flags    EBP  stack
 * Order of the steps: Intel SDM vol. 3A, section 9.8.5.4 (leaving IA-32e mode) and 2.5 (CR4).
 */
handoff_tail:
        mov     $(handoff_gdt_data - handoff_gdt), %eax
        mov     %eax, %ds
        mov     %eax, %es
        mov     %eax, %fs
        mov     %eax, %gs
        mov     %eax, %ss
        mov     %ebp, %esp              /* flat segments, and a stack, none of the firmware's left */

        mov     %cr0, %eax
        and     $~CR0_PG, %eax
        mov     %eax, %cr0              /* paging off; on x64 this leaves IA-32e mode (EFER.LMA) */
        jmp     1f
1:
        test    $HANDOFF_HAS_EFER, %ebx
        jz      2f
        mov     $MSR_EFER, %ecx
        rdmsr
        and     $~(EFER_LME | EFER_NXE), %eax
        wrmsr                           /* PG set again will mean 32-bit paging, without NX */
2:
        xor     %eax, %eax
        mov     %eax, %cr4              /* only now: PAE and LA57 are locked while LMA is set */

        mov     %esi, %ebx
        mov     $MULTIBOOT2_BOOTLOADER_MAGIC, %eax
        jmp     *%edi                   /* as Multiboot 2 promises, section 3.3 */

        .balign 8
handoff_gdt:
        .quad   0
handoff_gdt_code:                       /* base 0, limit 4 GiB, 32-bit, ring 0; accessed already, so */
        .quad   0x00cf9b000000ffff      /* that the processor never writes here */
handoff_gdt_data:
        .quad   0x00cf93000000ffff
handoff_gdt_end:
        .org    handoff_code + HANDOFF_CODE_BYTES       /* an error if it grew past that */
        .section .note.GNU-stack, "", @progbits
