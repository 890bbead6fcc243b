/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LIB_ATTENDED_H
#define LIB_ATTENDED_H

/*
 * Time as a loop sees it that asks again and again: of a gap between two looks, in which the
 * processor was elsewhere (system management code, an emulator that its host did not run), only
 * `longest` counts. So a device is not given up for time in which nobody could have heard it.
 */

#include "lib/types.h"

struct attended {
    uint64_t last; /* look */
    uint64_t sum;  /* of all gaps, so far */
};

/* Another look, at the time `now`, which never goes back; all in the same unit. Returns the sum. */
static inline uint64_t attended_look(struct attended *a, uint64_t now, uint64_t longest)
{
    uint64_t gap = now - a->last;

    a->last = now;
    a->sum += gap < longest ? gap : longest;
    return a->sum;
}

#endif
