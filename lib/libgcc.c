/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libgcc's 64-bit division, for code whose arguments are in registers. The compiler calls these
 * functions as it calls all others, by -mregparm, but the library takes its arguments from the
 * stack; the linker (--wrap) puts these in between.
 */
#include "lib/types.h"

#define FROM_STACK __attribute__((regparm(0)))

#define DIVISION(type, name)                         \
    type __wrap_##name(type dividend, type divisor); \
    FROM_STACK type __real_##name(type, type);       \
    type __wrap_##name(type dividend, type divisor)  \
    {                                                \
        return __real_##name(dividend, divisor);     \
    }

DIVISION(uint64_t, __udivdi3)
DIVISION(uint64_t, __umoddi3)
DIVISION(int64_t, __divdi3)
DIVISION(int64_t, __moddi3)
