/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LIB_FORMAT_H
#define LIB_FORMAT_H

/*
 * Text from values, as snprintf() makes it (ISO C11, 7.21.6.1), without its floating point:
 *
 *     %c %s %d %i %u %x %X %p %%, flags - 0 # + and space, width, .precision, * for either,
 *     sizes hh h l ll z t j
 *
 * Two things differ: %p is always 0x and all digits of a pointer, and a NULL for %s is "(null)",
 * cut to the precision. Something else after a % is copied as it stands.
 *
 * Context: any, before paging too; needs no more than a 386.
 */

#include "lib/types.h"

/*
 * Writes at most `size` bytes to `buf`, the last one a zero (nothing if `size` is 0). Returns the
 * length of the whole text without its zero: if that is `size` or more, the text was cut.
 */
int vformat(char *buf, size_t size, const char *fmt, va_list list) __printf(3, 0);
int format(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);

#endif
