/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Entries of the IDT: 48 stubs of 16 bytes, each of which makes the same frame, and the few
 * instructions of the probes that must stand at a known place.
 */
        .equ NR_VECTORS, 48
        .equ STUB_BYTES, 16
        .equ VECTORS_WITH_ERROR_CODE, 0x60227d00  /* 8, 10-14, 17, 21, 29, 30: SDM vol. 3A, table 6-1 */

        .text
        .globl trap_stubs
        .balign STUB_BYTES
trap_stubs:
        .set vector, 0
        .rept NR_VECTORS
        .balign STUB_BYTES
        .if vector < 32 && ((VECTORS_WITH_ERROR_CODE >> vector) & 1)
        .else
        pushl $0                        /* where the processor pushes no error code */
        .endif
        pushl $vector
        jmp trap_common
        .set vector, vector + 1
        .endr

/* Stack: vector, error code, EIP, CS, EFLAGS. Interrupts are off (interrupt gates). */
trap_common:
        pusha
        cld
        movl %esp, %eax
        pushl 40(%eax)                  /* a frame that back traces can follow: EIP, saved EBP */
        pushl %ebp
        movl %esp, %ebp
        call trap_handle                /* (EAX: struct trap_frame *) */
        addl $8, %esp
        popa
        addl $8, %esp
        iret

/* A vector that nothing of ours uses. */
        .globl trap_ignore
trap_ignore:
        iret

/* Task of the double fault: the processor switched stacks; what it left is in the main TSS. */
        .globl double_fault_task
double_fault_task:
        cld
        call double_fault_handle        /* rewrites the main TSS so that it goes on in a good place */
        addl $4, %esp                   /* the error code, always 0 */
        iret                            /* back to the task that faulted */
        jmp double_fault_task           /* the next double fault goes on behind the IRET */

/*
 * bool probe_read32(addr, value *, fault *), bool probe_write32(addr, value, fault *): EAX is 1
 * after the access, and the fixup goes to a place where it is 0.
 */
        .macro fixup at, to
        .pushsection .table.fixup, "a"
        .balign 4
        .long \at, \to
        .popsection
        .endm

        .globl probe_read_at, probe_write_at, probe_exec_at
probe_read_at:                          /* EAX: address; EDX: value; 1 in EAX if done */
1:      movl (%eax), %edx
        movl $1, %eax
        ret
2:      xorl %eax, %eax
        ret
        fixup 1b, 2b

probe_write_at:                         /* EAX: address; EDX: value */
1:      movl %edx, (%eax)
        movl $1, %eax
        ret
2:      xorl %eax, %eax
        ret
        fixup 1b, 2b

/*
 * EAX: address to call; EDX: where to leave the way back. A fetch fault at that very address comes back
 * to 2, with nothing but the return address of the call on the stack.
 */
probe_exec_at:
        movl $2f, (%edx)
        call *%eax
        movl $1, %eax
        ret
2:      addl $4, %esp
        xorl %eax, %eax
        ret

/*
 * bool guard_call(EAX: fn, EDX: ctx, ECX: context *): calls fn(ctx) and returns 1. guard_abort(EAX) makes it
 * return 0 instead. The context holds EBX, ESI, EDI, EBP, ESP, and is valid until guard_call ends.
 */
        .globl guard_call, guard_abort, guard_abort_ecx
guard_call:
        movl %ebx, (%ecx)
        movl %esi, 4(%ecx)
        movl %edi, 8(%ecx)
        movl %ebp, 12(%ecx)
        movl %esp, 16(%ecx)
        movl %eax, %ecx
        movl %edx, %eax
        call *%ecx
        movl $1, %eax
        ret
guard_abort:
        movl %eax, %ecx
guard_abort_ecx:                        /* ECX: the context; no stack needed */
        movl (%ecx), %ebx
        movl 4(%ecx), %esi
        movl 8(%ecx), %edi
        movl 12(%ecx), %ebp
        movl 16(%ecx), %esp
        xorl %eax, %eax
        ret

        .section .note.GNU-stack, "", @progbits
