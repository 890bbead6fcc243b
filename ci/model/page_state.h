/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_MODEL_PAGE_STATE_H
#define CI_MODEL_PAGE_STATE_H

/* What the model of the page allocator says, for the files that it is made of. */

#ifndef MAX_ORDER /* to a tool that was not told */
#define MAX_ORDER 5u
#endif

#include "ci/model/page_model.h"
#include "ci/model/broke.h"
#include "ci/model/model.h"
#include "paging/buddy.h"
#include "paging/compaction.h"
#include "paging/page_alloc.h"
#include "paging/page_owner.h"
#include "paging/shrinker.h"

#define NR_FRAMES 1536u /* at most */
#define NR_WINDOWS 8u
#define NR_CACHES 2u
enum frame_state { HOLE, FREE, HEAD, TAIL }; /* HEAD: first page of a block that is held */

/* Who has a block. */
enum who {
    NOBODY, /* no page_owner */
    FIXED,  /* one without hooks */
    MOVER,  /* one that lets go, unless the block is pinned */
    CACHE,  /* the same, and the shrinker frees it */
    NR_WHO,
    SLAB = NR_WHO /* objects, of page_slab.h; no owner of the model's own */
};

struct block {
    pfn_t pfn;
    gfp_t gfp;
    uint32_t serial; /* what its frames hold follows from it */
    uint16_t place;  /* in held[] */
    uint8_t order, who;
    bool pinned, isolated;
    uint8_t use;   /* SLAB: what for (page_slab.h), */
    uint16_t live; /* and how many of its objects are out */
};

/* A bit for each frame, 32 in a word: no block reaches out of one. */
#define GROUP_FRAMES 32u
#define NR_GROUPS (NR_FRAMES / GROUP_FRAMES)
_Static_assert(1u << MAX_ORDER <= GROUP_FRAMES, "blocks are wider than a word of bits");

/* Free blocks as they must be: the largest aligned ones. */
struct supply {
    uint32_t pages[MAX_NR_ZONES];
    struct buddy_counts blocks[MAX_NR_ZONES];
    uint32_t first[NR_ORDERS][NR_GROUPS]; /* the frames that such a block starts at */
};

struct state {
    struct page map[NR_FRAMES + 32]; /* and the pageblocks, and what is past the end */
    pfn_t nr_pfn, low_pfn;
    uint8_t frame[NR_FRAMES];  /* enum frame_state */
    uint16_t block[NR_FRAMES]; /* of a frame that is held */
    uint32_t word[NR_FRAMES];  /* what it holds: the simulated memory itself */
    struct block blocks[NR_FRAMES];
    uint16_t unused[NR_FRAMES]; /* numbers of blocks[] */
    uint16_t held[NR_FRAMES];   /* the others, in no order */
    uint32_t nr_held, serial, last_freed;
    struct {
        pfn_t pfn; /* 0: none */
        bool in_use;
    } window[NR_WINDOWS];
    struct page_alloc_tuning tuning;
    struct page_alloc_events before;             /* the operation */
    struct supply free;                          /* before it: all that is free, merged */
    struct supply listed;                        /* only what is in the buddy lists */
    uint8_t type[NR_GROUPS];                     /* of each pageblock */
    uint32_t zone_bits[MAX_NR_ZONES][NR_GROUPS]; /* frames of each zone */
    uint32_t is_free[NR_GROUPS];                 /* as `frame` says */
    uint32_t changed[NR_GROUPS]; /* what the model says of it has, since it was looked at */
    struct page seen[NR_FRAMES]; /* descriptors, when they were looked at */
    uint32_t buddies[NR_ORDERS][NR_GROUPS]; /* by them, a block of the buddy lists starts there */
    uint32_t is_listed[NR_GROUPS];          /* is in one */
    bool shrinking;                         /* in scan_objects() */
    bool compacting;                        /* in compact_zone(), called by hand */
    bool compacting_all;                    /* and the whole zone */
    uint32_t moved, isolated, kept;         /* in this operation */
    bool slab_gave;                         /* pages, in this operation */
    bool disturbed; /* somebody came in the middle of it, so that only its end can be judged */
    uint32_t reclaimed, words_written;
    uint32_t freed_by[NR_CACHES]; /* of those reclaimed */
    uint32_t findings, findings_wanted;
    char finding[112];
    const char *broken;
};
extern struct state m;

/* The zone of a frame, as the model sees it; its first and last-but-one frame. */
enum zone_type zone_of(pfn_t pfn);
pfn_t zone_first(unsigned zone);
pfn_t zone_end(unsigned zone);

/* A frame of a block holds this. */
uint32_t word_of(const struct block *block, unsigned page);

/* What the model says of a frame from now on. */
void frame_is(pfn_t pfn, enum frame_state state);

/* A block that the allocator gave: notes it, and writes its words. NULL if that can't be right. */
struct block *block_enters(struct page *page, unsigned order, gfp_t gfp);
void block_leaves(struct block *block);
void block_own(struct block *block, enum who who);

/* The held block number `which`, modulo, or one near it that is no slab's; NULL if there is none.
 */
struct block *pick_block(unsigned which);

/* page_rules.c: what must be free, and what an allocation must come to. */
void supply_count(struct supply *supply, const uint32_t *frames);
void check_given(const struct page *page, gfp_t gfp, unsigned order);
void check_refused(gfp_t gfp, unsigned order);
pfn_t supply_lowest(const struct supply *supply, unsigned order, pfn_t min, pfn_t end);
void check_tuning(void);

/* page_check.c: all that must hold between operations. */
void check_all(void);
void check_words(void);
void check_block_words(const struct block *block);

/* page_hooks.c: owners, and the cache. */
extern struct page_owner model_owner[NR_WHO];
void hooks_start(void);
uint32_t cache_pages(enum zone_type zone);

/* page_machine.c: windows in use. */
bool has_window_in_use(const struct block *block);

/*
 * page_others.c: what another thread does. Told of each operation before it begins, and of each
 * call of the allocators that it may come in the middle of.
 */
void others_start(void);
void others_before(const struct op *op);
void call_begin(void);
void call_end(void);

/* The operations; each does nothing where it makes no sense. */
extern void (*const actions[NR_OP_KINDS])(const struct op *op);
void do_alloc(const struct op *op);
void do_fill(const struct op *op);
void do_alloc_in(const struct op *op);
void do_free(const struct op *op);
void do_thin(const struct op *op);
void do_free_wrong(const struct op *op);
void do_tune(const struct op *op);
void do_own(const struct op *op);
void do_pin(const struct op *op);
void do_cache(const struct op *op);
void do_shrink(const struct op *op);
void do_compact(const struct op *op);
void do_kmap(const struct op *op);
void do_kunmap(const struct op *op);
void do_disturb(const struct op *op);
void do_kmalloc(const struct op *op);
void do_kfree(const struct op *op);
void do_object_alloc(const struct op *op);
void do_object_wrong(const struct op *op);
void do_damage(const struct op *op);
void do_cache_create(const struct op *op);
void do_cache_end(const struct op *op);
void do_cache_shrink(const struct op *op);
void do_slab_debug(const struct op *op);

/* Gives a block back that may be given back. */
void give(struct block *block);

#endif
