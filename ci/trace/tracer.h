/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_TRACE_TRACER_H
#define CI_TRACE_TRACER_H

/*
 * From the lines that Bochs prints to everything that is kept: the text, the profile, and what each
 * stretch between two marks did. The text, trace.txt.gz, has a line for each instruction:
 *
 *     DEPTH SYMBOL+OFFSET  FILE:LINE  INSTRUCTION ; R4 LINEAR>PHYSICAL=VALUE W4 ... PTE
 * PHYSICAL=...
 *
 * with the frames that are open around it, and what it did to memory: reads and writes with their
 * length in bytes, and the page-table entries that the processor read because its TLB did not have
 * the translation. Lines that begin with # are about the trace itself.
 */

#include "ci/trace/gzip_writer.h"
#include "ci/trace/profile.h"

#define STRETCH_NAME_MAX 64

/* What happened between two marks. */
struct stretch {
    char name[STRETCH_NAME_MAX];
    struct cost cost;
    uint64_t pages; /* different physical ones that data was read from or written to */
    uint64_t flushes[SITE_FLUSHES];
    uint64_t walks, interrupts, exceptions;
    bool cut; /* the limit came before the end */
};

/* A set of page frames. */
struct frames {
    uint8_t *bits;
    uint64_t count;
};

struct tracer {
    struct sites sites;
    struct profile profile;
    struct gzip_writer text; /* text.file NULL: no text is written */
    bool is_on;
    bool line_open, access_open; /* of the text */
    struct stretch *stretches;
    size_t nr_stretches;
    struct stretch all;
    struct frames frames, all_frames; /* of the stretch, of all */
    uint64_t beyond;                  /* accesses above what can be counted by frames */
    uint64_t skipped;                 /* stretches that began when nothing was left of the limit */
    double seconds;                   /* that tracing took, if somebody looked at a clock */
    uint64_t damaged;                 /* lines that were not whole */
    char *error;                      /* why it can't go on, or NULL */
};

void tracer_init(struct tracer *tracer, const struct image *image, uint32_t slide);

/* Starts the text. Returns 0 or a negative errno. */
int tracer_open_text(struct tracer *tracer, const char *path);

/* A line about the trace for the text; without its "# " and its end. */
void tracer_note(struct tracer *tracer, const char *note);

/* What comes from now on is traced, as the stretch `name`. */
void tracer_begin(struct tracer *tracer, const char *name);

/* It is not any more; `cut`: because the limit was reached. */
void tracer_end(struct tracer *tracer, bool cut);

/*
 * A line that Bochs printed. Ignored while nothing is traced. Returns false when the trace can't be
 * what it should be; tracer->error then says why.
 */
bool tracer_feed(struct tracer *tracer, const struct bochs_line *line);

/* Ends the text. Returns 0 or a negative errno. */
int tracer_close_text(struct tracer *tracer);

void tracer_free(struct tracer *tracer);

#endif
