/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_TRAPS_H
#define PAYLOAD_TRAPS_H

/*
 * GDT, IDT, TSS; faults, expected and not; the way back from a fault that ends a case.
 *
 * An expected fault is data: probe functions make one access, and a fixup table entry beside the
 * instruction says where to go on when it faults. An unexpected one prints what is known, and then
 * goes back to where fault_guard() was called, if there is such a place.
 */

#include "lib/types.h"
#include "lib/x86/percpu.h"

/* SDM vol. 3A, table 6-1 */
#define VECTOR_DE 0u
#define VECTOR_DB 1u
#define VECTOR_NMI 2u
#define VECTOR_BP 3u
#define VECTOR_UD 6u
#define VECTOR_DF 8u
#define VECTOR_GP 13u
#define VECTOR_PF 14u
#define NR_EXCEPTIONS 32u
#define NR_VECTORS 48u /* exceptions, then 16 lines of the 8259 pair */

/* As payload/trap_entry.S leaves the stack. */
struct trap_frame {
    uint32_t edi, esi, ebp, esp_unused, ebx, edx, ecx, eax; /* PUSHA */
    uint32_t vector, error_code;
    uint32_t eip, cs, eflags; /* pushed by the processor; no more, since nothing changes ring */
};

/* Sets up descriptor tables, task registers and %fs for the boot processor. Interrupts stay off. */
void traps_init(void);

/*
 * One access that may fault. True if it was done; false if it faulted, and *fault (if not NULL)
 * tells how. Context: any.
 */
bool probe_read32(const volatile void *addr, uint32_t *value, struct fault_record *fault);
bool probe_write32(volatile void *addr, uint32_t value, struct fault_record *fault);

/*
 * Calls the code at addr, which must be a RET, or fault. True if it came back by itself.
 */
bool probe_exec(const volatile void *addr, struct fault_record *fault);

/* What to do in a guarded place. */
typedef void (*guarded_fn)(void *ctx);

/*
 * Calls fn(ctx). If an unexpected fault ends it, what is known about the fault has been reported,
 * and false is returned; *what (size bytes) then names the fault in a few words. The
 * timer is stopped and no interrupt has a handler any more, since the fault may have ended one;
 * what else fn held is the caller's to put in order. Guards don't nest. Context: thread.
 */
bool fault_guard(guarded_fn fn, void *ctx, char *what, size_t size);

/* The same for a function without an argument. */
bool fault_guard_hook(void (*hook)(void), char *what, size_t size);

/*
 * The next fault of this vector about an address in [low, high) ends the guarded function as any,
 * but quietly: it is wanted. For a case about double faults.
 */
void fault_expect(unsigned vector, uint32_t low, uint32_t high);

/* Whether the last guarded call ended by the fault that it expected. */
bool fault_was_expected(void);

#endif
