/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LIB_INJECT_H
#define LIB_INJECT_H

/*
 * Mutations: the proof that a suite can fail.
 *
 * A mutation stands where the mechanism is that it breaks, in one line, and names the suite that
 * must notice:
 *
 *     if (!inject(kmap_skip_flush, kmap))
 *         tlb_flush_all();
 *
 * inject() is false, and costs one five-byte no-op, unless the boot option `inject=kmap_skip_flush`
 * names it: then the no-op is patched into a jump before the payload's text becomes read-only.
 * So the code that is measured and the code that is proved are the same binary. Each use puts a
 * record into the section .table.inject, and its two names into .inject_names, from which the host
 * side takes its list. A mutation may stand in several places (an inlined function does): all are
 * switched together.
 *
 * inject_any2() to inject_any4() share one no-op among several mutations, where instructions are
 * counted: what stands behind asks by inject() which one it is. inject_on_host() is for what no
 * machine at hand could show (a processor that walks tables ahead, say): it is nothing on the
 * machine.
 *
 * In host unit tests inject() asks inject_host(): ci/unit/injected.c, or a test's own.
 */

#include "lib/types.h"

#if __STDC_HOSTED__

bool inject_host(const char *name);
#define inject(name, suite) inject_host(#name)
#define inject_any2(suite, a, b) (inject_host(#a) || inject_host(#b))
#define inject_any3(suite, a, b, c) (inject_any2(suite, a, b) || inject_host(#c))
#define inject_any4(suite, a, b, c, d) (inject_any3(suite, a, b, c) || inject_host(#d))
#define inject_on_host(name) inject_host(#name)

#else

/* One place that a mutation patches. Addresses are relocated like all of the payload's. */
struct inject_site {
    uint8_t *nop;      /* the five bytes to patch */
    uint8_t *target;   /* where the jump goes */
    const char *name;  /* the mutation */
    const char *suite; /* the suite that must fail */
};

#define INJECT_RECORD(name, suite)        \
    ".pushsection .inject_names, \"a\"\n" \
    "2: .asciz \"" #name "\"\n"           \
    "3: .asciz \"" #suite "\"\n"          \
    ".popsection\n"                       \
    ".pushsection .table.inject, \"a\"\n" \
    ".balign 4\n"                         \
    ".long 1b, %l0, 2b, 3b\n"             \
    ".popsection\n"

#define INJECT_SITE(records)                                                                  \
    ({                                                                                        \
        __label__ yes, out;                                                                   \
        bool hit = false;                                                                     \
        /* 3e 8d 74 26 00: lea 0(%%esi,%%eiz,1),%%esi with a prefix: a no-op on every i686 */ \
        __asm__ goto("1: .byte 0x3e, 0x8d, 0x74, 0x26, 0x00\n" records : : : : yes);          \
        goto out;                                                                             \
    yes:                                                                                      \
        hit = true;                                                                           \
    out:                                                                                      \
        hit;                                                                                  \
    })

#define inject(name, suite) INJECT_SITE(INJECT_RECORD(name, suite))
#define inject_any2(suite, a, b) INJECT_SITE(INJECT_RECORD(a, suite) INJECT_RECORD(b, suite))
#define inject_any3(suite, a, b, c) \
    INJECT_SITE(INJECT_RECORD(a, suite) INJECT_RECORD(b, suite) INJECT_RECORD(c, suite))
#define inject_any4(suite, a, b, c, d)                                                  \
    INJECT_SITE(INJECT_RECORD(a, suite) INJECT_RECORD(b, suite) INJECT_RECORD(c, suite) \
                    INJECT_RECORD(d, suite))
#define inject_on_host(name) false

/*
 * Switches on every site of the mutation `name`. Context: before the text is read-only.
 * Returns how many sites were patched; 0 means that there is no such mutation.
 */
unsigned inject_enable(const char *name);

#endif

#endif
