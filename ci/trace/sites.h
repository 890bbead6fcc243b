/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_TRACE_SITES_H
#define CI_TRACE_SITES_H

/*
 * The instructions of a trace: a site is one address with what stands there. It is taken apart the
 * first time it is seen, and checked against the image; after that it costs one table look-up and
 * a comparison with what Bochs printed the last time.
 *
 * A site is written down without absolute addresses where they are of the image: "call
 * tlb_flush_all", not "call .+1613 (0xc0112fc0)", so that traces of an image that was loaded
 * elsewhere are the same.
 */

#include "ci/trace/image.h"

enum site_kind {
    SITE_OTHER,
    SITE_CALL,
    SITE_RETURN,
    SITE_INTERRUPT_RETURN,
    SITE_JUMP, /* conditional or not */
};

enum site_flush {
    SITE_FLUSH_NONE,
    SITE_FLUSH_CR3,
    SITE_FLUSH_PAGE, /* INVLPG */
    SITE_FLUSH_CR4,
    SITE_FLUSHES,
};

struct cost {
    uint64_t instructions, reads, writes;
};

struct site {
    uint32_t linear;
    uint32_t function;
    struct image_place place;
    uint8_t length; /* 0: unknown */
    enum site_kind kind;
    enum site_flush flush;
    struct cost cost;
    char *raw; /* what Bochs printed */
    size_t raw_length;
    char *shown; /* symbol and offset, place, instruction, in columns */
    size_t shown_length;
    struct site *next; /* of those outside the image with the same hash */
};

#define SITES_OUTSIDE 4096

struct sites {
    const struct image *image;
    uint32_t slide; /* what is added to a link address to get a linear one */
    struct site **in_image;
    struct site *outside[SITES_OUTSIDE];
    char **extra; /* names of functions that the image does not have */
    size_t nr_extra;
};

void sites_init(struct sites *sites, const struct image *image, uint32_t slide);

/*
 * The site at `linear`, where Bochs shows the instruction `raw`. NULL with *message, for free(),
 * when the image has another instruction there: it is not what ran, or lies elsewhere.
 */
struct site *sites_at(struct sites *sites, uint32_t linear, const char *raw, size_t raw_length,
                      char **message);

/* The site of an instruction that ran without Bochs showing it. Never NULL. */
struct site *sites_unseen(struct sites *sites, uint32_t linear);

/* Calls `visit` for each site, those of the image by address first. */
void sites_each(const struct sites *sites, void (*visit)(void *ctx, const struct site *site),
                void *ctx);

/* The function of a linear address, and of a name that the image does not have, as a number. */
uint32_t sites_function(struct sites *sites, uint32_t linear);
uint32_t sites_extra_function(struct sites *sites, const char *name);

/* How many there are: numbers go from 0 up. */
size_t sites_nr_functions(const struct sites *sites);
const char *sites_function_name(const struct sites *sites, uint32_t function);

/* "symbol+0x1c"; for free(). */
char *sites_name(struct sites *sites, uint32_t linear);

void sites_free(struct sites *sites);

#endif
