/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LIB_TYPES_H
#define LIB_TYPES_H

/*
 * The few macros that every file needs. Kinds of address: lib/address.h.
 *
 * A physical address is 64 bits wide everywhere, and is never kept in a size_t or a pointer: with
 * PAE the machine has more memory than a pointer can name. Sizes in bytes are called `_bytes` or
 * `size`, counts of pages `_pages`.
 */

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/address.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define BIT(n) (UINT32_C(1) << (n))
#define BIT64(n) (UINT64_C(1) << (n))

#define KIB(n) ((uint32_t)(n) << 10)
#define MIB(n) ((uint32_t)(n) << 20)
#define MIB64(n) ((uint64_t)(n) << 20)
#define GIB64(n) ((uint64_t)(n) << 30)

/* `align` is a power of two; the result has the type of `x`. */
#ifdef __CHECKER__ /* which knows no bits of an address */
#define ALIGN_DOWN(x, align) \
    ((__force __typeof__(x))((__force uint64_t)(x) & ~((uint64_t)(align)-1)))
#define IS_ALIGNED(x, align) (((__force uint64_t)(x) & ((uint64_t)(align)-1)) == 0)
#define ALIGN_UP(x, align) ALIGN_DOWN((x) + ((align)-1), align)
#else
#define ALIGN_DOWN(x, align) ((x) & ~((__typeof__(x))(align)-1))
#define ALIGN_UP(x, align) ALIGN_DOWN((x) + ((__typeof__(x))(align)-1), align)
#define IS_ALIGNED(x, align) (((x) & ((__typeof__(x))(align)-1)) == 0)
#endif

#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define __packed __attribute__((packed))
#define __aligned(n) __attribute__((aligned(n)))
#define __noreturn __attribute__((noreturn))
#define __printf(fmt, args) __attribute__((format(printf, fmt, args)))
#define __used __attribute__((used))

/*
 * A linker table: structures of one type that files all over the tree put side by side, each in
 * its own file, so that adding a suite, a driver or a console edits no list anywhere else. The
 * linker script keeps every `.table.NAME` section between NAME_table_start and NAME_table_end.
 *
 *     TABLE_ENTRY(suite, struct suite) = { .name = "kmap", ... };    (const, one entry)
 *     table_for_each(suite, struct suite, s) { ... s->name ... }
 */
#define TABLE_JOIN2(a, b) a##b
#define TABLE_JOIN(a, b) TABLE_JOIN2(a, b)
#define TABLE_ENTRY(table, type)                           \
    static const type TABLE_JOIN(table##_entry_, __LINE__) \
        __attribute__((section(".table." #table), used, aligned(4)))
/* NOLINTBEGIN(bugprone-macro-parentheses): `type` and `it` are declared, not used in a sum */
#define table_for_each(table, type, it)      \
    extern const type table##_table_start[]; \
    extern const type table##_table_end[];   \
    for (const type *it = table##_table_start; (uintptr_t)it < (uintptr_t)table##_table_end; it++)
/* NOLINTEND(bugprone-macro-parentheses) */

#endif
