/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LIB_X86_ATOMIC_H
#define LIB_X86_ATOMIC_H

/*
 * What the compiler does not make by itself without floating point registers: 64 bits changed at
 * once (CMPXCHG8B, SDM vol. 2A; every processor with PAE has it).
 */

#include "lib/types.h"

/* NOLINTBEGIN(readability-non-const-parameter): what assembly writes is seen by nobody but us */

typedef uint64_t __attribute__((aligned(8))) atomic64_t;

/* Half of such a word, or of a counter, to be changed by itself. */
typedef uint32_t __attribute__((may_alias)) atomic_half_t;

/*
 * Writes hi:lo if was_hi:was_lo is there now, and returns whether it was. A full barrier.
 * In halves, because that is what registers hold. Context: any.
 */
static inline bool atomic64_change(atomic64_t *word, uint32_t was_hi, uint32_t was_lo, uint32_t hi,
                                   uint32_t lo)
{
    bool changed;

#if __STDC_HOSTED__
    atomic64_t from = (atomic64_t)was_hi << 32 | was_lo;

    changed = __atomic_compare_exchange_n(word, &from, (atomic64_t)hi << 32 | lo, false,
                                          __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
#else
    __asm__ volatile("lock cmpxchg8b %0"
                     : "+m"(*word), "=@ccz"(changed), "+a"(was_lo), "+d"(was_hi)
                     : "b"(lo), "c"(hi)
                     : "memory");
#endif
    return changed;
}

/* The halves of a word as they are now, each by itself. */
static inline uint32_t atomic64_low(const atomic64_t *word)
{
    return ((const atomic_half_t *)word)[0];
}

static inline uint32_t atomic64_high(const atomic64_t *word)
{
    return ((const atomic_half_t *)word)[1];
}

/* Adds to a counter that is wider than what changes at once; each half is right in the end. */
static inline void atomic64_add(atomic64_t *counter, uint32_t bytes)
{
#if __STDC_HOSTED__
    __atomic_add_fetch(counter, bytes, __ATOMIC_RELAXED);
#else
    atomic_half_t *half = (atomic_half_t *)counter;

    __asm__ volatile("lock addl %2, %0; lock adcl $0, %1"
                     : "+m"(half[0]), "+m"(half[1])
                     : "ri"(bytes)
                     : "cc");
#endif
}

/* Clears the one bit of the low half that is set in `bit`, a constant; returns what it was. */
static inline bool atomic64_bit_clear(atomic64_t *word, uint32_t bit)
{
    bool was;

#if __STDC_HOSTED__
    was = __atomic_fetch_and(word, ~(atomic64_t)bit, __ATOMIC_SEQ_CST) & bit;
#else
    /* By hand, because the compiler would keep the address of the half in a register. */
    __asm__ volatile("lock btrl %2, %0"
                     : "+m"(*word), "=@ccc"(was)
                     : "I"(__builtin_ctz(bit))
                     : "memory");
#endif
    return was;
}

/* Sets, or clears, bit `bit` of a map of 32-bit words, and returns what it was. */
static inline bool atomic_bit_set(uint32_t *map, uint32_t bit)
{
    bool was;

#if __STDC_HOSTED__
    was = __atomic_fetch_or(&map[bit / 32], BIT(bit % 32), __ATOMIC_SEQ_CST) >> bit % 32 & 1;
#else
    __asm__ volatile("lock btsl %2, %0" : "+m"(*map), "=@ccc"(was) : "r"(bit) : "memory");
#endif
    return was;
}

static inline bool atomic_bit_clear(uint32_t *map, uint32_t bit)
{
    bool was;

#if __STDC_HOSTED__
    was = __atomic_fetch_and(&map[bit / 32], ~BIT(bit % 32), __ATOMIC_SEQ_CST) >> bit % 32 & 1;
#else
    __asm__ volatile("lock btrl %2, %0" : "+m"(*map), "=@ccc"(was) : "r"(bit) : "memory");
#endif
    return was;
}

/* NOLINTEND(readability-non-const-parameter) */

#endif
