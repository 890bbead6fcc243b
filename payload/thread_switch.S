/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * void thread_switch(EAX: uint32_t *save_esp, EDX: uint32_t esp): leaves one thread and goes on in
 * another, where that one called this function; a new one begins at thread_begin. Interrupts are off.
 * Only what a C function must keep is kept; the rest is lost, as by any call.
 */
        .text
        .globl thread_switch, thread_begin
thread_switch:
        pushl %ebp
        pushl %ebx
        pushl %esi
        pushl %edi
        movl %esp, (%eax)
        movl %edx, %esp
        popl %edi
        popl %esi
        popl %ebx
        popl %ebp
        ret

/* The first return of a new thread leads here. EBP is 0: the end of every back trace. */
thread_begin:
        pushl $0
        call thread_main                /* it does not return */
        ud2

        .section .note.GNU-stack, "", @progbits
