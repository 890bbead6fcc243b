/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_TESTS_DMA_BENCH_H
#define PAYLOAD_TESTS_DMA_BENCH_H

/*
 * What a case of dma_bounce works with: a DMA client, memory of every kind, and a reference, which
 * is what the client's medium or memory should hold, known in another way than by the transfer that
 * is being checked. There is one bench at a time.
 *
 * A medium may have bad places. They are no fault of memory or DMA: they are stepped over, and the
 * test errs, not the machine, where nobody but the DMA can tell. That is for what the drive itself
 * says (-EIO, drivers/transfer.h); what its controller says is the machine's, once or
 * always.
 */

#include "drivers/transfer.h"
#include "payload/suite.h"
#include "payload/tests/client_loan.h"
#include "payload/tests/dma_arena.h"

#define DMA_BENCH_BYTES KIB(128) /* largest transfer, and size of each buffer */
#define DMA_BENCH_CRC_BITS 16u   /* of a sector's checksum that tell it from others */

enum dma_reference {
    DMA_REFERENCE_SHADOW,  /* what was written to the device before */
    DMA_REFERENCE_PATTERN, /* the image is the runner's, whose sectors are known */
    DMA_REFERENCE_PIO,     /* a read by the processor, or what comes closest (drivers/transfer.h) */
    DMA_REFERENCE_DMA,     /* a DMA to memory that every device reaches */
};

struct dma_bench {
    struct test *t;
    struct dma_client *client;
    bool is_model;
    struct dma_arena arena[DMA_NR_ARENAS];
    struct page *far; /* memory that every device reaches */
    uint8_t *wanted;  /* what a transfer should give */
    uint8_t *shadow;  /* contents of a device that can be written */
    enum dma_reference reference;
    uint32_t image_id;
    struct client_loan loan;
    uint64_t direct_bytes, direct_ns, bounced_bytes, bounced_ns; /* of large reads */
    uint64_t bytes;
    uint32_t bad_ranges; /* of the medium, stepped over */
    uint32_t nr_done;    /* reads made */
    uint32_t nr_again;   /* of which came the second time only */
    /* What the reference held: a medium that is the same everywhere proves little. */
    uint32_t nr_sectors, nr_distinct;
    uint32_t seen_crc[(1u << DMA_BENCH_CRC_BITS) / 32];
};

/* The clients that are read from (at least one place, to be skipped), then the models; for hooks.
 */
unsigned dma_bench_count(void);
const char *dma_bench_name(unsigned index);

/* The bench for the case's instance, or NULL after a skip or an error. */
struct dma_bench *dma_bench_open(struct test *t);

/* Quiets the client and gives all memory back. */
void dma_bench_close(struct dma_bench *b);

/* The suite's abandon hook: stops every device first. Clients can be used again after it. */
void dma_bench_abandon(void);

/*
 * Finds the best reference that the client has, and says which. False if there is none, after
 * having said why.
 */
bool dma_bench_choose_reference(struct dma_bench *b);

/*
 * Fills b->wanted with what `bytes` from `dev_offset` of the device should be. Returns 0, or a
 * negative errno after having said what is wrong.
 */
int dma_bench_make_reference(struct dma_bench *b, uint64_t dev_offset, uint32_t bytes);

/*
 * True if a DMA of this range, which gave `err`, failed for the medium's sake: the range was
 * stepped over then, and b->wanted is lost.
 */
bool dma_bench_is_bad_medium(struct dma_bench *b, uint64_t dev_offset, uint32_t bytes, int err);

/*
 * After a read that gave `err`, and a medium that is good: tries it a second time. What comes then
 * was an error of the moment, which is told. If half of all reads are like that, it is none.
 * Returns 0, or what the read still gives.
 */
int dma_bench_read_again(struct dma_bench *b, uint64_t dev_offset, struct page *page,
                         uint32_t offset, uint32_t bytes, int err);

/* Says at the end of the case what its reads could show. */
void dma_bench_judge_media(struct dma_bench *b);

void dma_bench_randomise(struct prng *prng, uint8_t *to, uint32_t bytes);

#endif
