/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_RUNNER_TAIL_H
#define CI_RUNNER_TAIL_H

/* The end of a log, for who reads no more than the terminal's. */

#include "ci/runner/words.h"

/*
 * Appends the last lines of a file, at most `most` of them, a word each, without what could upset a
 * terminal. A file that can't be read has none.
 */
void tail_lines(const char *path, unsigned most, struct words *lines);

#endif
