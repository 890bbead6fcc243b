/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Of the payload that page_fault.txt and interrupt.txt were recorded with: the instructions that they
 * hold, at their addresses, with the symbols and some of the source lines that they had.
 */
        .file 1 "payload/tests/kmap.c"
        .file 2 "payload/traps.c"
        .file 3 "payload/trap_entry.S"
        .file 4 "drivers/irq.c"
        .text
base:
        .org 0x1f0, 0xcc
        .type write_masks, @function
        .size write_masks, 0x13
write_masks:
        .org 0x1fe, 0xcc
        .loc 4 77
        movl %edx, %eax                         /* mov eax, edx */
        .byte 0xe6, 0xa1                        /* out 0xa1, al */
        .byte 0xc3                              /* ret */
        .org 0x210, 0xcc
        .type irq_request, @function
        .size irq_request, 0x200
irq_request:
        .org 0x31a, 0xcc
        .byte 0x31, 0xc0                        /* xor eax, eax */
        .byte 0x80, 0xe7, 0x02                  /* and bh, 0x02 */
        .byte 0x74, 0x01                        /* jz .+1  (0xc0108322) */
        .byte 0xfb                              /* sti */
        .byte 0x5b                              /* pop ebx */
        .byte 0x5e                              /* pop esi */
        .org 0x10bc0, 0xcc
        .type check_edges, @function
        .size check_edges, 0x90
check_edges:
        .org 0x10bc7, 0xcc
        .loc 1 383
        movl %eax, %esi                         /* mov esi, eax */
        .byte 0x8d, 0x41, 0xfc                  /* lea eax, ds:[ecx-4] */
        .byte 0x53                              /* push ebx */
        .byte 0x89, 0xcb                        /* mov ebx, ecx */
        .byte 0x83, 0xec, 0x10                  /* sub esp, 0x00000010 */
        .byte 0x6a, 0x00                        /* push 0x00000000 */
        .byte 0x6a, 0x00                        /* push 0x00000000 */
        .byte 0x50                              /* push eax */
        .byte 0xe8, 0x04, 0x4f, 0x00, 0x00      /* call .+20228  (0xc011dae0) */
        .byte 0x83, 0xc4, 0x10                  /* add esp, 0x00000010 */
        .byte 0x84, 0xc0                        /* test al, al */
        .byte 0x75, 0x3d                        /* jnz .+61  (0xc0118c20) */
        .byte 0x83, 0xec, 0x04                  /* sub esp, 0x00000004 */
        .byte 0x8d, 0x83, 0x00, 0x10, 0x00, 0x00/* lea eax, ds:[ebx+4096] */
        .byte 0x6a, 0x00                        /* push 0x00000000 */
        .byte 0x6a, 0x00                        /* push 0x00000000 */
        .byte 0x50                              /* push eax */
        .byte 0xe8, 0xea, 0x4e, 0x00, 0x00      /* call .+20202  (0xc011dae0) */
        .org 0x15030, 0xcc
trap_stubs:
        .org 0x15110, 0xcc
        .loc 3 21
        pushl $14                               /* push 0x0000000e */
        .byte 0xe9, 0x0f, 0x02, 0x00, 0x00      /* jmp .+527  (0xc011d326) */
        .org 0x15230, 0xcc
        .byte 0x6a, 0x00                        /* push 0x00000000 */
        .byte 0x6a, 0x20                        /* push 0x00000020 */
        .byte 0xe9, 0xed, 0x00, 0x00, 0x00      /* jmp .+237  (0xc011d326) */
        .org 0x15326, 0xcc
trap_common:
        .byte 0x60                              /* pusha */
        .byte 0xfc                              /* cld */
        .byte 0x89, 0xe0                        /* mov eax, esp */
        .byte 0xff, 0x70, 0x28                  /* push dword ptr ds:[eax+40] */
        .byte 0x55                              /* push ebp */
        .byte 0x89, 0xe5                        /* mov ebp, esp */
        .byte 0x50                              /* push eax */
        .byte 0xe8, 0x7a, 0x03, 0x00, 0x00      /* call .+890  (0xc011d6b0) */
        .byte 0x83, 0xc4, 0x0c                  /* add esp, 0x0000000c */
        .byte 0x61                              /* popa */
        .byte 0x83, 0xc4, 0x08                  /* add esp, 0x00000008 */
        .byte 0xcf                              /* iret */
        .org 0x1534b, 0xcc
probe_read_at:
        .loc 3 68
        movl (%eax), %edx                       /* mov edx, dword ptr ds:[eax] */
        .org 0x15353, 0xcc
        .byte 0x31, 0xc0                        /* xor eax, eax */
        .byte 0xc3                              /* ret */
        .org 0x156b0, 0xcc
        .type trap_handle, @function
        .size trap_handle, 0x150
trap_handle:
        .loc 2 204
        pushl %ebp                              /* push ebp */
        .byte 0x89, 0xe5                        /* mov ebp, esp */
        .byte 0x57                              /* push edi */
        .byte 0x56                              /* push esi */
        .byte 0x53                              /* push ebx */
        .byte 0x83, 0xec, 0x1c                  /* sub esp, 0x0000001c */
        .byte 0x8b, 0x5d, 0x08                  /* mov ebx, dword ptr ss:[ebp+8] */
        .byte 0x8b, 0x73, 0x20                  /* mov esi, dword ptr ds:[ebx+32] */
        .byte 0x83, 0xfe, 0x1f                  /* cmp esi, 0x0000001f */
        .byte 0x76, 0x2c                        /* jbe .+44  (0xc011d6f0) */
        .org 0x156f0, 0xcc
        .byte 0x83, 0xfe, 0x0e                  /* cmp esi, 0x0000000e */
        .byte 0x0f, 0x84, 0x7f, 0x00, 0x00, 0x00/* jz .+127  (0xc011d778) */
        .org 0x15778, 0xcc
        .byte 0x0f, 0x20, 0xd0                  /* mov eax, cr2 */
        .byte 0x64, 0x8b, 0x0d, 0x00, 0x00, 0x00, 0x00/* mov ecx, dword ptr fs:0x00000000 */
        .byte 0x89, 0x45, 0xe4                  /* mov dword ptr ss:[ebp-28], eax */
        .byte 0x0f, 0x20, 0xd0                  /* mov eax, cr2 */
        .byte 0x89, 0x45, 0xe0                  /* mov dword ptr ss:[ebp-32], eax */
        .byte 0xb8, 0x6c, 0x48, 0x12, 0x00      /* mov eax, 0xc012486c */
        .byte 0x3d, 0x7c, 0x48, 0x12, 0x00      /* cmp eax, 0xc012487c */
        .byte 0x73, 0x49                        /* jnb .+73  (0xc011d7e0) */
        .byte 0x8b, 0x53, 0x28                  /* mov edx, dword ptr ds:[ebx+40] */
        .byte 0x31, 0xff                        /* xor edi, edi */
        .byte 0xb8, 0x6c, 0x48, 0x12, 0x00      /* mov eax, 0xc012486c */
        .byte 0x8d, 0xb4, 0x26, 0x00, 0x00, 0x00, 0x00/* lea esi, ds:[esi] */
        .byte 0x3b, 0x10                        /* cmp edx, dword ptr ds:[eax] */
        .byte 0x75, 0x03                        /* jnz .+3  (0xc011d7af) */
        .byte 0x8b, 0x78, 0x04                  /* mov edi, dword ptr ds:[eax+4] */
        .byte 0x83, 0xc0, 0x08                  /* add eax, 0x00000008 */
        .byte 0x3d, 0x7c, 0x48, 0x12, 0x00      /* cmp eax, 0xc012487c */
        .byte 0x72, 0xef                        /* jb .-17  (0xc011d7a8) */
        .byte 0x85, 0xff                        /* test edi, edi */
        .byte 0x74, 0x23                        /* jz .+35  (0xc011d7e0) */
        .byte 0x8b, 0x43, 0x24                  /* mov eax, dword ptr ds:[ebx+36] */
        .byte 0x89, 0xf2                        /* mov edx, esi */
        .byte 0xc6, 0x41, 0x10, 0x01            /* mov byte ptr ds:[ecx+16], 0x01 */
        .byte 0x88, 0x51, 0x11                  /* mov byte ptr ds:[ecx+17], dl */
        .byte 0x89, 0x41, 0x14                  /* mov dword ptr ds:[ecx+20], eax */
        .byte 0x8b, 0x45, 0xe0                  /* mov eax, dword ptr ss:[ebp-32] */
        .byte 0x89, 0x41, 0x18                  /* mov dword ptr ds:[ecx+24], eax */
        .byte 0x89, 0x7b, 0x28                  /* mov dword ptr ds:[ebx+40], edi */
        .byte 0x8d, 0x65, 0xf4                  /* lea esp, ss:[ebp-12] */
        .byte 0x5b                              /* pop ebx */
        .byte 0x5e                              /* pop esi */
        .byte 0x5f                              /* pop edi */
        .byte 0x5d                              /* pop ebp */
        .byte 0xc3                              /* ret */
        .org 0x15ae0, 0xcc
        .type probe_read32, @function
        .size probe_read32, 0x50
probe_read32:
        .loc 2 297
        pushl %ebp                              /* push ebp */
        .byte 0x89, 0xe5                        /* mov ebp, esp */
        .byte 0x56                              /* push esi */
        .byte 0x53                              /* push ebx */
        .byte 0x8b, 0x75, 0x0c                  /* mov esi, dword ptr ss:[ebp+12] */
        .byte 0x8b, 0x4d, 0x10                  /* mov ecx, dword ptr ss:[ebp+16] */
        .byte 0x8b, 0x45, 0x08                  /* mov eax, dword ptr ss:[ebp+8] */
        .byte 0xe8, 0x58, 0xf8, 0xff, 0xff      /* call .-1960  (0xc011d34b) */
        .byte 0x85, 0xc0                        /* test eax, eax */
        .byte 0x0f, 0x95, 0xc3                  /* setnz bl */
        .byte 0x85, 0xf6                        /* test esi, esi */
        .byte 0x74, 0x24                        /* jz .+36  (0xc011db20) */
        .org 0x15b1a, 0xcc
        .byte 0x89, 0xd8                        /* mov eax, ebx */
        .byte 0x5b                              /* pop ebx */
        .byte 0x5e                              /* pop esi */
        .byte 0x5d                              /* pop ebp */
        .byte 0xc3                              /* ret */
        .byte 0x85, 0xc9                        /* test ecx, ecx */
        .byte 0x74, 0xf6                        /* jz .-10  (0xc011db1a) */

        .data
relocations_start:
        .long 0x11d78c, 8
        .long 0x11d791, 8
        .long 0x11d79d, 8
        .long 0x11d7b3, 8
relocations_end:

        .section .note.GNU-stack, "", @progbits
