/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel, byte by byte as its file has it. KERNEL_FILE is its path, given by loader.mk. */
        .section .rodata
        .balign 16
        .globl  kernel_file, kernel_file_end
        .hidden kernel_file, kernel_file_end
kernel_file:
        .incbin KERNEL_FILE
kernel_file_end:
        .section .note.GNU-stack, "", @progbits
