/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_STACK_USE_H
#define PAYLOAD_STACK_USE_H

/*
 * How deep the boot stack went, to hold against what the call graph proves (`make stack`). The
 * stack is bss, so it was zero at the start, and what was used is found by where it is not any
 * more. Context: any, on any stack.
 */

#include "lib/types.h"

/* Bytes in use at the deepest point so far. */
uint32_t stack_used_bytes(void);

/* Clears what is not in use now, after a case that overflowed the stack on purpose. Context:
 * thread. */
void stack_use_forget(void);

#endif
