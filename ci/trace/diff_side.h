/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_TRACE_DIFF_SIDE_H
#define CI_TRACE_DIFF_SIDE_H

/* One of two traces that are compared: a window on its lines, and the call stack before it. */

#include <stddef.h>
#include <zlib.h>

#include "ci/trace/diff.h"

#define SIDE_CONTEXT 6 /* lines before the window that are kept */
#define SIDE_DEPTH_MAX 64
#define SIDE_PLACE_MAX 96

struct side_line {
    char *text;
    uint64_t key; /* equal for lines that count as the same; never 0 */
};

struct side {
    const char *path;
    gzFile file;
    bool with_offsets;
    enum diff_by by;
    bool ended, failed;
    char *about;             /* the trace's first line */
    uint64_t number;         /* of the window's first line among those compared, from 0 */
    struct side_line *lines; /* a ring */
    size_t head, count, room;
    char *context[SIDE_CONTEXT]; /* by number % SIDE_CONTEXT */
    char stack[SIDE_DEPTH_MAX][SIDE_PLACE_MAX];
    unsigned depth;
};

/* Opens the trace and reads what stands before its first mark. 0 or a negative errno. */
int side_open(struct side *side, const char *path, unsigned window, char **message);

/* How lines are to be compared; before the first of them is read. */
void side_compare(struct side *side, enum diff_by by, bool with_offsets);

/* Fills the window up to `count` lines, or to the end of the trace. Returns how many there are. */
size_t side_fill(struct side *side, size_t count);

/* Line `at` of the window, and its key; 0 behind the end. */
const struct side_line *side_line(const struct side *side, size_t at);
uint64_t side_key(const struct side *side, size_t at);

/* Drops the window's first line, which goes into the context and the stack. */
void side_advance(struct side *side);

/* The key of a line of a trace's text. */
uint64_t side_key_of(const char *line, enum diff_by by, bool with_offsets);

void side_close(struct side *side);

#endif
