/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LIB_FINDING_H
#define LIB_FINDING_H

/*
 * A finding is a rule that somebody broke and that a mechanism noticed by itself: a page freed
 * twice, a window unmapped that was not mapped. It is told to whoever set the hook (the payload
 * fails the running case with the text); without a hook it is only counted.
 */

#include "lib/types.h"

typedef void (*finding_hook_t)(const char *text);

/* Sets who is told; NULL: nobody. Returns the hook that was set before. Context: any, paged phase.
 */
finding_hook_t finding_set_hook(finding_hook_t hook);

/* Tells a finding, in one line without a line end, at most 111 characters. Context: any. */
void finding(const char *fmt, ...) __printf(1, 2);

/* Findings since the start. */
uint32_t finding_count(void);

#endif
