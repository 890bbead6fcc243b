/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_MODEL_PAGE_MODEL_H
#define CI_MODEL_PAGE_MODEL_H

/*
 * The page allocator, compaction and reclaim against an obviously right model.
 *
 * They run on an array of descriptors for some hundred frames, with zones that end at odd places,
 * and holes. Blocks of at most 2^MAX_ORDER pages are small here, so that there are many pageblocks.
 * What a frame holds is a word; windows are a few entries in a table. On top of it works the slab
 * allocator, whose pages have real memory.
 *
 * Beside it stands the model: an array that says which frame is held by which block, and what its
 * word is to be. After each operation all descriptors, lists, counts, words and findings are
 * compared with it. Which blocks must be free is worked out from the array by brute force, and so
 * is whether an allocation had to fail, and from which zone it had to come. Of the slab allocator
 * the model knows each page that it has, and each object that is out.
 */

#include <stdint.h>

#ifndef MODEL_HEADER
#define MODEL_HEADER "ci/model/page_model.h"
#endif

/* In brackets, what an operation's numbers mean; indexes are taken modulo what there is. */
enum op_kind {
    OP_START,        /* gives all back, and starts with other zones [at: which] */
    OP_ALLOC,        /* [gfp, order, more: by address, with an owner] */
    OP_FILL,         /* many of the same [gfp, order, more: how many] */
    OP_ALLOC_IN,     /* [order, at: from where, more: how far] */
    OP_FREE,         /* [at: block] */
    OP_THIN,         /* every so many blocks [at: the first, more: how many are between, order] */
    OP_FREE_WRONG,   /* [at: block or frame, more: what is wrong] */
    OP_DRAIN,        /* all per-CPU lists */
    OP_TUNE,         /* [more: remedies, at: reserves] */
    OP_OWN,          /* [at: block, more: by whom] */
    OP_PIN,          /* pins a block, or ends that [at: block, more: which] */
    OP_CACHE,        /* puts pages into the cache [gfp, more: how many] */
    OP_SHRINK,       /* [gfp: up to which zone, more: how many pages] */
    OP_COMPACT,      /* [gfp: zone, order] */
    OP_KMAP,         /* [at: block, more: page and window] */
    OP_KUNMAP,       /* [more: window] */
    OP_CLEAR_EVENTS, /* sets what is counted to 0 */
    OP_KMALLOC,      /* [gfp, more: size, and how many, at: how much smaller] */
    OP_KFREE,        /* objects, also of caches [at: which, more: how many] */
    OP_OBJECT_ALLOC, /* [gfp, order: cache, more: how many] */
    OP_OBJECT_WRONG, /* frees what may not be freed [at: object or frame, more: what is wrong] */
    OP_DAMAGE,       /* writes where nobody may [at: object, more: where, and what then] */
    OP_CACHE_CREATE, /* [order: which, at: size, more: alignment and flags] */
    OP_CACHE_END,    /* [order: which] */
    OP_CACHE_SHRINK, /* [order: which, more: or all] */
    OP_SLAB_DEBUG,   /* of the caches of kmalloc() [more: flags] */
    OP_DISTURB,      /* the next one, from within [more: after so many accesses, order: how, at] */
    NR_OP_KINDS
};

struct op {
    uint8_t kind, order, more;
    uint16_t gfp, at;
};

enum model_count {
    COUNT_ALLOCATED,
    COUNT_DISTURBED, /* by others */
    COUNT_FAILED,    /* rightly */
    COUNT_FREED,
    COUNT_FELL_BACK, /* to a lower zone */
    COUNT_FINDINGS,
    COUNT_MOVED,
    COUNT_OBJECTS,
    COUNT_PINNED,
    COUNT_RECLAIMED,
    COUNT_SLABS,
    COUNT_SLABS_RECLAIMED,
    COUNT_STOLEN, /* from another mobility */
    MODEL_NR_COUNTS
};

#define MODEL_OP_BYTES 7u
#define MODEL_NR_FIELDS 5u
#define MODEL_NR_WAYS 8u

#endif
