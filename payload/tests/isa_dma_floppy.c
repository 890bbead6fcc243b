/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the 8237 does with a transfer, shown by the one device that nearly every PC has: sectors are
 * read from the floppy past the mapping API, with the controller programmed as each case wants it,
 * into a block of memory that is all the suite's own.
 *
 * Emulators take short cuts here. Where one is known (QEMU's controller neither wraps at 64 KiB,
 * nor counts down, nor loads itself anew; Bochs' drive reads past the last sector that it was told
 * of, and stops a verify transfer early), a case accepts what the data sheets say and exactly that
 * short cut, and logs which of the two it saw. Anything else fails.
 */
#include "drivers/floppy.h"
#include "drivers/isa_dma.h"
#include "drivers/isa_dma_regs.h"
#include "drivers/transfer.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "lib/x86/io.h"
#include "paging/highmem.h"
#include "paging/page_alloc.h"
#include "payload/suite.h"
#include "payload/tests/dma_arena.h"

#define CHANNEL 2u
#define SECTOR 512u
#define SECTORS 2u /* of a transfer */
#define BYTES (SECTORS * SECTOR)
#define BLOCK (ISA_DMA_BOUNDARY_8BIT + 1)
#define PLACE KIB(12) /* of a buffer that no border is near of */
/* Sectors of different contents, whatever is on the disk: the first that differ are taken. */
#define FIRST_LBA 0u
#define LAST_LBA 16u /* on the first track of every format */

/* What the suite holds. */
static struct dma_arena arenas[DMA_NR_ARENAS];
static uint8_t *wanted; /* a page: the sectors */
static uint32_t lba;

static void give_back(void)
{
    struct dma_client *floppy = NULL;

    for (unsigned i = 0; i < dma_client_count(); i++) {
        if (strcmp(dma_client_at(i)->name, "floppy") == 0)
            floppy = dma_client_at(i);
    }
    if (floppy && floppy->quiet)
        floppy->quiet(floppy);
    dma_arenas_close(arenas);
    if (wanted)
        free_pages(wanted, 0);
    wanted = NULL;
}

static void abandon(void)
{
    give_back();
}

/* A read of `sectors` from `from` on to `offset` of the arena, with the count of them all. */
static struct floppy_raw read_of(uint32_t from, uint32_t sectors, uint32_t offset, unsigned flags)
{
    return (struct floppy_raw){
        .lba = from,
        .sectors = sectors,
        .addr = phys_to_dma(arenas[DMA_ARENA_DMA].phys) + offset,
        .bytes = sectors * SECTOR,
        .flags = flags,
    };
}

/* Two sectors into the middle of the arena, as the driver would read them. */
static int read_plainly(struct test *t, uint32_t from)
{
    struct floppy_raw raw = read_of(from, SECTORS, PLACE, 0);
    const char *reason;
    int err = floppy_read_raw(&raw, &reason);

    if (err == -ENODEV || err == -ENXIO || err == -EBUSY)
        test_skip(t, "%s", reason);
    else if (err)
        test_fail(t, "%u sectors from %u: error %d: %s", SECTORS, from, -err, reason);
    return err;
}

static bool tells_direction(const uint8_t *data)
{
    for (unsigned i = 0; i < BYTES / 2; i++) {
        if (data[i] != data[BYTES - 1 - i])
            return memcmp(data, data + SECTOR, SECTOR) != 0;
    }
    return false;
}

/*
 * Opens the arena, with all of its pattern, and reads what the cases compare with: sectors that
 * differ from each other and are no palindrome. False after a skip or an error.
 */
static bool open_case(struct test *t)
{
    struct dma_arena *arena = &arenas[DMA_ARENA_DMA];
    unsigned nr = dma_arenas_open(arenas, test_prng(t));

    wanted = __get_free_pages(GFP_KERNEL, 0);
    if (!nr || !arena->page || !wanted) {
        test_error(t, "no memory below 16 MiB for %u bytes", DMA_ARENA_BYTES);
        give_back();
        return false;
    }
    for (lba = FIRST_LBA; lba + SECTORS <= LAST_LBA; lba++) {
        if (read_plainly(t, lba)) {
            give_back();
            return false;
        }
        memcpy_from_page(wanted, arena->page, PLACE, BYTES);
        dma_arena_paint(arena, PLACE, BYTES);
        if (tells_direction(wanted))
            return true;
    }
    test_skip(t, "the disk's first sectors are all the same");
    give_back();
    return false;
}

/* True if the arena holds `data` at `offset`; paints it again then. */
static bool take_data(uint32_t offset, const uint8_t *data, uint32_t bytes)
{
    struct dma_arena *arena = &arenas[DMA_ARENA_DMA];

    if (dma_arena_find_difference(arena, offset, data, bytes) >= 0)
        return false;
    dma_arena_paint(arena, offset, bytes);
    return true;
}

/* All of the arena but what was taken must be as it was. */
static void check_rest(struct test *t, const char *what)
{
    const struct dma_arena *arena = &arenas[DMA_ARENA_DMA];
    int32_t damage = dma_arena_find_damage(arena, 0, DMA_ARENA_BYTES);

    TEST_CHECK(t, damage < 0, "%s: 0x%llx was written, buffer 0x%llx+%u", what,
               addr_number(arena->phys + (uint32_t)MAX(damage, 0)),
               addr_number(arena->phys + PLACE), BYTES);
}

/* Reads the sectors to `offset` of the arena. The transfer must succeed, and count to its end. */
static bool read_to(struct test *t, const char *what, uint32_t offset, unsigned flags)
{
    struct floppy_raw raw = read_of(lba, SECTORS, offset, flags);
    const char *reason;
    int err = floppy_read_raw(&raw, &reason);

    if (err) {
        test_fail(t, "%s: error %d: %s", what, -err, reason);
        return false;
    }
    TEST_CHECK(t, raw.left == 0, "%s: %u of %u bytes left", what, raw.left, BYTES);
    TEST_CHECK(t, raw.reached_tc, "%s: no terminal count", what);
    return true;
}

static void case_modes(struct test *t)
{
    static const struct {
        const char *name;
        unsigned flags;
    } modes[] = {
        {"single", 0},
        {"demand", ISA_DMA_DEMAND},
    };

    if (!open_case(t))
        return;
    for (unsigned i = 0; i < ARRAY_SIZE(modes); i++) {
        if (!read_to(t, modes[i].name, PLACE, modes[i].flags))
            continue;
        TEST_CHECK(t, take_data(PLACE, wanted, BYTES), "%s mode: not the sectors at 0x%llx",
                   modes[i].name, addr_number(arenas[DMA_ARENA_DMA].phys + PLACE));
        check_rest(t, modes[i].name);
    }
    give_back();
}

/* Acknowledges and counts, but leaves memory alone. */
static void case_verify(struct test *t)
{
    struct floppy_raw raw;
    const char *reason;
    int err;

    if (!open_case(t))
        return;
    raw = read_of(lba, SECTORS, PLACE, ISA_DMA_VERIFY);
    err = floppy_read_raw(&raw, &reason);
    TEST_CHECK(t, !err, "error %d: %s", -err, reason);
    check_rest(t, "verify");
    TEST_CHECK(t, err || raw.reached_tc == (raw.left == 0), "%u bytes left, %sterminal count",
               raw.left, raw.reached_tc ? "" : "no ");
    /* Bochs asks for one byte after the first sector, and no more. */
    TEST_CHECK(t, err || raw.left == 0 || raw.left == BYTES - SECTOR - 1, "%u bytes left",
               raw.left);
    test_log(t, "%u of %u bytes counted", BYTES - raw.left, BYTES);
    give_back();
}

/*
 * A transfer that would cross 64 KiB: its second sector lands at the start of the block, where the
 * 16 bits of the address register lead. That is why the mapping layer must never let one happen.
 */
static void case_wrap(struct test *t)
{
    const uint32_t offset = 2 * BLOCK - SECTOR;
    bool wraps;

    if (!open_case(t))
        return;
    if (!read_to(t, "wrap", offset, 0)) {
        give_back();
        return;
    }
    TEST_CHECK(t, take_data(offset, wanted, SECTOR), "not the first sector at 0x%llx",
               addr_number(arenas[DMA_ARENA_DMA].phys + offset));
    wraps = take_data(BLOCK, wanted + SECTOR, SECTOR);
    if (wraps)
        test_log(t, "the second sector went to 0x%llx: it wraps within 64 KiB",
                 addr_number(arenas[DMA_ARENA_DMA].phys + BLOCK));
    else if (TEST_CHECK(t, take_data(offset + SECTOR, wanted + SECTOR, SECTOR),
                        "the second sector is neither behind the border nor where it wraps to"))
        test_log(t, "the second sector went to 0x%llx: it does not wrap, as an 8237 would",
                 addr_number(arenas[DMA_ARENA_DMA].phys + offset + SECTOR));
    check_rest(t, "wrap");
    test_metric(t, "wraps_at_64k", wraps, "count");
    give_back();
}

/* From the last byte down: the contents are mirrored. */
static void case_decrement(struct test *t)
{
    static uint8_t mirrored[BYTES];

    if (!open_case(t))
        return;
    for (unsigned i = 0; i < BYTES; i++)
        mirrored[i] = wanted[BYTES - 1 - i];
    if (read_to(t, "decrement", PLACE, ISA_DMA_DECREMENT)) {
        if (take_data(PLACE, mirrored, BYTES)) {
            test_log(t, "addresses count down");
        } else if (TEST_CHECK(t,
                              take_data(PLACE + BYTES - 1 - SECTOR, wanted, SECTOR) &&
                                  take_data(PLACE + BYTES - 1 - BYTES, wanted + SECTOR, SECTOR),
                              "neither mirrored nor as QEMU has it")) {
            test_log(t, "addresses count down by sectors, a byte too low, as QEMU has it");
        }
        check_rest(t, "decrement");
    }
    give_back();
}

/* The sectors end before the count: what is left must be said to the byte, and no terminal count.
 */
static void case_residue(struct test *t)
{
    struct floppy_raw raw;
    const char *reason;
    int err;

    if (!open_case(t))
        return;
    raw = read_of(lba, 1, PLACE, 0);
    raw.bytes = BYTES;
    err = floppy_read_raw(&raw, &reason);
    if (err && err != -ENOSPC) {
        test_fail(t, "one sector for a count of two: error %d: %s", -err, reason);
    } else if (!err && raw.left == 0 && raw.reached_tc) {
        test_log(t, "the drive reads on after the last sector of its command, as Bochs has it");
        dma_arena_paint(&arenas[DMA_ARENA_DMA], PLACE + SECTOR, SECTOR);
    } else {
        TEST_CHECK(t, raw.left == BYTES - SECTOR, "%u bytes left, not %u", raw.left,
                   BYTES - SECTOR);
        TEST_CHECK(t, !raw.reached_tc, "terminal count with %u bytes left", raw.left);
    }
    TEST_CHECK(t, take_data(PLACE, wanted, SECTOR), "not the sector at 0x%llx",
               addr_number(arenas[DMA_ARENA_DMA].phys + PLACE));
    check_rest(t, "residue");
    give_back();
}

static unsigned read_pair(unsigned reg)
{
    unsigned low;

    outb(isa_dma_port(CHANNEL, ISA_DMA_REG_CLEAR_FLIP_FLOP), 0);
    low = inb(isa_dma_port(CHANNEL, reg));
    return low | (unsigned)inb(isa_dma_port(CHANNEL, reg)) << 8;
}

/*
 * Two reads of one sector, with the channel programmed once: after terminal count it has its
 * address and count again, and the second sector lands on the first. Without auto-initialise the
 * channel would be closed, with the count at its end.
 */
static void case_autoinit(struct test *t)
{
    struct floppy_raw raw;
    unsigned address, count;
    const char *reason;
    bool reloads;
    int err;

    if (!open_case(t))
        return;
    raw = read_of(lba, 1, PLACE, ISA_DMA_AUTOINIT);
    err = floppy_read_raw(&raw, &reason);
    TEST_CHECK(t, err || raw.reached_tc, "first round: no terminal count");
    TEST_CHECK(t, err || take_data(PLACE, wanted, SECTOR), "first round: not the sector at 0x%llx",
               addr_number(raw.addr));
    address = read_pair(ISA_DMA_REG_ADDRESS(CHANNEL));
    count = read_pair(ISA_DMA_REG_COUNT(CHANNEL));
    reloads = address == (addr_number(raw.addr) & UINT16_MAX) && count == SECTOR - 1;
    /* QEMU's controller stays at the end until the device begins anew. */
    TEST_CHECK(
        t,
        err || reloads ||
            (address == ((addr_number(raw.addr) + SECTOR) & UINT16_MAX) && count == UINT16_MAX),
        "after a round: address 0x%04x, count 0x%04x", address, count);
    raw.lba = lba + 1;
    raw.flags |= FLOPPY_RAW_KEEP;
    if (!err)
        err = floppy_read_raw(&raw, &reason);
    if (err) {
        test_fail(t, "error %d: %s", -err, reason);
    } else {
        TEST_CHECK(t, raw.reached_tc, "second round: no terminal count");
        TEST_CHECK(t, take_data(PLACE, wanted + SECTOR, SECTOR),
                   "second round: not the sector at 0x%llx", addr_number(raw.addr));
        test_log(t, "the channel is %s after terminal count",
                 reloads ? "loaded anew" : "not reset");
    }
    check_rest(t, "autoinit");
    test_metric(t, "autoinit_reloads", reloads, "count");
    give_back();
}

static const struct test_case cases[] = {
    {"modes", case_modes},         {"verify", case_verify},   {"wrap", case_wrap},
    {"decrement", case_decrement}, {"residue", case_residue}, {"autoinit", case_autoinit},
};

SUITE(isa_dma_floppy) = {
    .name = "isa_dma_floppy",
    .rank = SUITE_RANK_WINDOWS,
    .about = "transfers of the 8237 that no driver makes, by the floppy: modes, wrap, residue",
    .cases = cases,
    .nr_cases = ARRAY_SIZE(cases),
    .abandon = abandon,
};
