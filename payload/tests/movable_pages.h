/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_TESTS_MOVABLE_PAGES_H
#define PAYLOAD_TESTS_MOVABLE_PAGES_H

/*
 * An owner with a table of pages that may be moved. Every word of a page tells by its value which
 * entry it belongs to and where in the page it stands, so that a page that was not copied, or
 * copied from elsewhere, or whose owner looks for it at the wrong place, shows.
 *
 * Entries with a user, and those that refuse, don't let go of their pages.
 */

#include "paging/page_alloc.h"
#include "paging/page_owner.h"
#include "payload/suite.h"

struct movable {
    struct page *page; /* NULL: has none */
    uint16_t users;    /* looking at it right now; guarded by preemption being off */
    bool refuses;
    bool isolated; /* between isolate() and what comes after */
};

/* There is one table at a time. */
struct movable_pages {
    struct page_owner owner;
    enum zone_type zone;
    struct movable *entry;
    unsigned table_order;
    uint32_t count, max;            /* entries in use or once used; room */
    uint32_t salt;                  /* of the contents */
    uint32_t isolated, moved, kept; /* calls of the owner's hooks */
    uint32_t refused;               /* isolate() said no */
    uint32_t wrong;                 /* a hook was told what is not so */
};

extern struct movable_pages movable;

/* An empty table for `max` pages of the zone. False, after an error, without memory for it. */
bool movable_open(struct test *t, enum zone_type zone, uint32_t max);

/* Gives all pages and the table back. Fine if it is not open. */
void movable_close(void);

/* One page more, with its contents; false if the zone or the table has none. */
bool movable_add(void);

/* Takes pages until the zone has none. */
void movable_fill(struct test *t);

/* A page for an entry that has none; false if there is no memory. */
bool movable_take(uint32_t index);

/* Gives the page of an entry back, if it has one. */
void movable_drop(uint32_t index);

/*
 * Gives back half of all pages, chosen at random, but of any eight that could be a block of order
 * MOVABLE_SPREAD_ORDER at least one stays: no such block is free afterwards.
 */
#define MOVABLE_SPREAD_ORDER 3u
void movable_spread(struct prng *prng);

/* True if all that window, which shows the entry's page, holds is right; else *word is the first
 * that is not. */
bool movable_holds(const void *window, uint32_t index, unsigned *word);

/* Fails the case unless every entry's page is its own, and holds what it should. */
void movable_check(struct test *t);

/* The word that stands at `word` in the page of this entry. */
static inline uint32_t movable_word(uint32_t index, unsigned word)
{
    return hash32(movable.salt + index) + word * 0x9e3779b9u;
}

#endif
