/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_MODEL_DMA_STATE_H
#define CI_MODEL_DMA_STATE_H

/* What the DMA model says, for the files that it is made of. */

#include "ci/model/dma_calls.h"
#include "ci/model/dma_machine.h"
#include "ci/model/broke.h"
#include "ci/model/model.h"

#define MAX_MAPPINGS 48u /* more than the tables hold */
#define MAX_LISTS 4u
#define MAX_PIECES 6u
#define MAX_COHERENT 4u
#define MAX_BLOCKS 24u
#define MAX_ENDED 16u
#define SLOT_BYTES 4096u
#define MARK_BYTES 8u
#define MARK_STEP 1024u
#define NR_DEVICES (MODEL_DEVICES + 1u)
#define IRQ_DEVICE MODEL_DEVICES /* the interrupt handler's */

struct mapping {
    bool live, bounced, in_list;
    bool overrun; /* the device has written into its guards */
    unsigned dev;
    phys_addr_t phys;
    dma_addr_t dma;
    uint32_t size;
    enum dma_data_direction dir;
    uint8_t slot[MODEL_PLACE_BYTES]; /* what the device sees, if it bounces */
    uint8_t held[MODEL_PLACE_BYTES]; /* what the buffer was when the device got it */
    bool is_cpu[MODEL_PLACE_BYTES];  /* bytes that are synced for the CPU, if it bounces */
};

struct list {
    bool live;
    unsigned dev, nents, segments;
    enum dma_data_direction dir;
    struct scatterlist sg[MAX_PIECES];
    struct mapping *mapping[MAX_PIECES];
};

/* What was unmapped: the layer remembers it until its place in the table is needed. */
struct ended {
    unsigned dev;
    dma_addr_t dma;
    uint32_t adds; /* by then */
};

struct coherent {
    uint8_t *at; /* NULL: none */
    dma_addr_t dma;
    uint32_t size;
    unsigned dev;
    uint8_t fill;
};

struct block {
    uint8_t *at; /* NULL: none */
    dma_addr_t dma;
    uint8_t fill;
    bool freed, scribbled;
};

struct pool {
    struct dma_pool *pool; /* NULL: none */
    unsigned dev;
    uint32_t size, align, boundary;
    struct block block[MAX_BLOCKS];
};

struct state {
    struct device dev[NR_DEVICES];
    struct dma_counters want[NR_DEVICES];
    uint8_t *ram[NR_REGIONS]; /* what each byte of REGION_BUFFER is to be */
    uint8_t *ram_at_first[NR_REGIONS];
    struct mapping mapping[MAX_MAPPINGS];
    struct list list[MAX_LISTS];
    struct ended ended[MAX_ENDED];
    uint32_t nr_ended, adds;
    struct coherent coherent[MAX_COHERENT];
    struct pool pool[MODEL_POOLS];
    uint32_t peak_slots[2]; /* of each bounce pool */
    uint32_t fill;          /* for the next bytes that anybody writes */
    struct op op;           /* in progress */
    unsigned accesses;
    bool in_irq;
};
extern struct state m;

/* The next call makes a finding of this kind. */
void want_finding(unsigned dev, enum dma_finding kind);

/* What the model says that RAM at `phys` is. */
uint8_t *want_ram(phys_addr_t phys);

/* `size` new bytes, which no other write gives. */
void new_bytes(uint8_t *bytes, uint32_t size);

/* One of those that `is` picks; NULL if there is none. */
struct mapping *pick_mapping(unsigned which, bool (*is)(const struct mapping *map));

bool mapping_is_any(const struct mapping *map);

/* Whether a device has some of this memory mapped, and whether a mapping of it is a finding. */
bool is_mapped_by(unsigned dev, phys_addr_t phys, uint32_t size);
bool overlaps(phys_addr_t phys, uint32_t size, enum dma_data_direction dir);

/* Number of places in the layer's table that are taken. */
unsigned table_used(void);

/* A place was taken, or will be free: for what a second unmap is told. */
void note_added(void);
void note_ended(unsigned dev, dma_addr_t dma);

bool reaches(const struct device *dev, phys_addr_t phys, uint32_t size);

/* The operations; each does nothing where it makes no sense. */
extern void (*const actions[NR_OP_KINDS])(const struct op *op);
void do_map(const struct op *op);
void do_map_single(const struct op *op);
void do_map_sg(const struct op *op);
void do_map_bad(const struct op *op);
void do_unmap(const struct op *op);
void do_unmap_wrong(const struct op *op);
void do_unmap_again(const struct op *op);
void do_unmap_unknown(const struct op *op);
void do_unmap_sg(const struct op *op);
void do_unmap_sg_short(const struct op *op);
void do_sync_cpu(const struct op *op);
void do_sync_device(const struct op *op);
void do_sync_wrong(const struct op *op);
void do_sync_sg_cpu(const struct op *op);
void do_sync_sg_device(const struct op *op);
void do_device_write(const struct op *op);
void do_device_read(const struct op *op);
void do_device_overrun(const struct op *op);
void do_cpu_write(const struct op *op);
void do_cpu_write_mapped(const struct op *op);
void do_fit(const struct op *op);
void do_coherent(const struct op *op);
void do_free_coherent(const struct op *op);
void do_coherent_wrong(const struct op *op);
void do_pool_create(const struct op *op);
void do_pool_alloc(const struct op *op);
void do_pool_free(const struct op *op);
void do_pool_wrong(const struct op *op);
void do_pool_scribble(const struct op *op);
void do_pool_destroy(const struct op *op);

/* Who else runs when the layer sleeps. */
extern const struct wait_ops model_wait_ops;

/* What must hold of them between operations, and how all of them end. */
void check_mappings(bool sweep);
void check_blocks(void);
void end_blocks(void);

/* What the calls for one mapping must come to; for lists too. */
struct mapping *mapping_enter(unsigned dev, phys_addr_t phys, dma_addr_t dma, uint32_t size,
                              enum dma_data_direction dir, bool skip);
void expect_failed(unsigned dev, phys_addr_t phys, uint32_t size, bool overlapped);
void mapping_ends(struct mapping *map, bool skip);
bool has_marks(uint32_t size, enum dma_data_direction dir);
void sync_whole(struct mapping *map, bool for_cpu);

#define NOWHERE MIB64(4) /* RAM that is never mapped */

/* Kinds of mapping, for pick_mapping(). */
bool is_single(const struct mapping *map);
bool is_guarded(const struct mapping *map);
bool is_writable(const struct mapping *map);

/* Slots (dma_slots.c): those of a mapping, whether there must have been room, and all of them. */
uint32_t slots_of(dma_addr_t dma, uint32_t size);
bool had_room(const struct device *dev, phys_addr_t phys, uint32_t size);
void check_bounced(const struct device *dev, const struct mapping *map);
void check_slots(const uint32_t *slots);

/* Bytes (dma_bytes.c): `from` and `bytes` are of the mapping. */
void buffer_now(const struct mapping *map, uint8_t *bytes);
void slots_now(struct mapping *map);
void set_marks(struct mapping *map, uint32_t from, uint32_t to);
void to_device(struct mapping *map, uint32_t from, uint32_t bytes);
void from_device(struct mapping *map, uint32_t from, uint32_t bytes);
bool cpu_has_any(const struct mapping *map);

/* The layer tells what the processor changed while the device had the buffer. */
bool is_watched(const struct mapping *map);
void expect_untouched(struct mapping *map);

#endif
