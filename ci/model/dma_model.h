/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_MODEL_DMA_MODEL_H
#define CI_MODEL_DMA_MODEL_H

/*
 * The DMA mapping layer against an obviously right model.
 *
 * The layer runs on a machine of a few arrays: some pages of RAM around each address where a mask
 * ends (16 MiB, 256 MiB, 4 GiB, 64 GiB), small bounce pools, a little lowmem for coherent blocks,
 * and a bus on which devices of any mask, boundary and largest segment read and write. The bus
 * refuses what a device's address lines can't say, what crosses its boundary, and what is no RAM.
 * Before any access to memory of the layer an interrupt may come, which maps, transfers and unmaps
 * (the compiler puts a call there); but not where it has switched interrupts off.
 *
 * Beside it stands the model: what each byte of RAM is to be, and of each mapping what the device
 * is to see, who owns it, and which findings each call must make. After each operation both are
 * compared: bytes, addresses, counters, findings, slots.
 */

#include <stdint.h>

#ifndef MODEL_HEADER
#define MODEL_HEADER "ci/model/dma_model.h"
#endif

#define MODEL_DEVICES 4u
#define MODEL_PLACES 5u
#define MODEL_PLACE_BYTES 16384u
#define MODEL_POOLS 2u
#define MODEL_DIRECTIONS 3u

/* In brackets, what an operation's numbers mean; indexes are taken modulo what there is. */
enum op_kind {
    OP_SETUP,         /* new rules for a device that has nothing mapped [arg: mask, more: others] */
    OP_MAP,           /* [arg: place, offset, size, dir] */
    OP_MAP_SINGLE,    /* the same in lowmem, by pointer */
    OP_MAP_SG,        /* [more: number of pieces, and gaps between them] */
    OP_MAP_BAD,       /* no size, a size beyond the largest segment, no direction [more: which] */
    OP_UNMAP,         /* [arg: mapping] */
    OP_UNMAP_WRONG,   /* with a wrong size, a wrong direction, or both [more: which] */
    OP_UNMAP_AGAIN,   /* what was unmapped [arg: how long ago] */
    OP_UNMAP_UNKNOWN, /* what never was mapped by this device [arg: place, offset] */
    OP_UNMAP_SG,      /* [arg: list] */
    OP_UNMAP_SG_SHORT,   /* with the number of segments, where that is less */
    OP_SYNC_CPU,         /* [arg: mapping, offset, size; more: the whole] */
    OP_SYNC_DEVICE,      /* the same */
    OP_SYNC_WRONG,       /* past the end, wrong direction, unknown, nothing [more: which] */
    OP_SYNC_SG_CPU,      /* [arg: list] */
    OP_SYNC_SG_DEVICE,   /* the same */
    OP_DEVICE_WRITE,     /* [arg: mapping, offset, size] */
    OP_DEVICE_READ,      /* the same */
    OP_DEVICE_OVERRUN,   /* it writes past the end of what bounces, or before it [more: which] */
    OP_CPU_WRITE,        /* [arg: place, offset, size] */
    OP_CPU_WRITE_MAPPED, /* [arg: mapping, offset, size] */
    OP_FIT,              /* cuts a list anew [arg: place, offset, size, more: pieces] */
    OP_COHERENT,         /* [size] */
    OP_FREE_COHERENT,    /* [arg: which] */
    OP_COHERENT_WRONG,   /* wrong size, freed as a mapping, a mapping freed as such [more: which] */
    OP_POOL_CREATE,      /* [arg: pool, size, more: alignment and boundary] */
    OP_POOL_ALLOC,       /* [arg: pool, more: zeroed] */
    OP_POOL_FREE,        /* [arg: pool, more: block] */
    OP_POOL_WRONG,       /* a block freed twice, foreign, with a wrong handle [more: which] */
    OP_POOL_SCRIBBLE,    /* the device writes into a freed block [arg: pool, more: block] */
    OP_POOL_DESTROY,     /* [arg: pool] */
    OP_LEAKS,            /* dma_check_leaks() */
    NR_OP_KINDS
};

enum op_event {
    EVENT_NONE,
    EVENT_IRQ, /* before access number `at` of the layer */
    NR_EVENTS
};

struct op {
    uint8_t kind, dev, arg, dir, more, event;
    uint16_t at, offset, size;
};

enum model_count {
    COUNT_DIRECT,
    COUNT_BOUNCED,
    COUNT_FULL, /* maps that failed for want of slots or of table entries */
    COUNT_SLEPT,
    COUNT_MERGED,
    COUNT_INTERRUPTED,
    COUNT_FINDINGS,
    COUNT_BLOCKS,
    MODEL_NR_COUNTS
};

#define MODEL_OP_BYTES 9u
#define MODEL_NR_FIELDS 9u
#define MODEL_NR_WAYS 13u

#endif
