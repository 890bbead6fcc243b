/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The 8237 itself, on every PC that has one, without a device: registers that hold what is written,
 * each channel's own page register, masks, what the driver programs, and what it refuses.
 *
 * Here registers are read and written past the driver, by the data sheets' ports (8237A, table 4;
 * 82371AB, 4.2.1), so that a driver with a wrong table is found too. Channels are opened in verify
 * mode only, in which the controller moves nothing: whatever asks, no memory is touched. Transfers
 * are the business of isa_dma_floppy and dma_bounce.
 */
#include "drivers/clock.h"
#include "drivers/isa_dma.h"
#include "drivers/isa_dma_regs.h"
#include "drivers/pci.h"
#include "lib/string.h"
#include "lib/x86/cpu.h"
#include "lib/x86/io.h"
#include "payload/suite.h"
#include "payload/tests/dma_arena.h"

#define OWNER "isa_dma"
#define REG_BITS 16u
#define RANDOM_ROUNDS 64u
#define PROGRAMMES 128u /* of each channel */
#define MAPPINGS 48u    /* of each kind of memory */
#define REQUEST_LIMIT_MS 20u
#define BOCHS_VENDOR 0x8086u
#define BOCHS_BRIDGE 0x1237u /* 440FX */

/* The suite's own table, from the 82371AB data sheet; the cascade has none. */
static const uint16_t page_ports[ISA_DMA_CHANNELS] = {0x87, 0x83, 0x81, 0x82, 0, 0x8b, 0x89, 0x8a};

/* What the suite holds, for give_back(). */
static bool held[ISA_DMA_CHANNELS];
static struct dma_arena arenas[DMA_NR_ARENAS];

static void give_back(void)
{
    for (unsigned channel = 0; channel < ISA_DMA_CHANNELS; channel++) {
        if (!held[channel])
            continue;
        isa_dma_stop(channel);
        isa_dma_free(channel);
        held[channel] = false;
    }
    dma_arenas_close(arenas);
}

static void abandon(void)
{
    give_back();
}

/* Takes every channel, or skips the case. */
static bool take_all(struct test *t)
{
    if (!isa_dma_is_present()) {
        test_skip(t, "no 8237 was found");
        return false;
    }
    for (unsigned channel = 0; channel < ISA_DMA_CHANNELS; channel++) {
        if (channel == ISA_DMA_CASCADE_CHANNEL)
            continue;
        if (isa_dma_request(channel, OWNER)) {
            test_skip(t, "channel %u is taken by %s", channel, isa_dma_owner(channel));
            give_back();
            return false;
        }
        held[channel] = true;
    }
    return true;
}

static void write_reg(unsigned channel, unsigned reg, unsigned value)
{
    outb(isa_dma_port(channel, reg), (uint8_t)value);
}

static unsigned read_reg(unsigned channel, unsigned reg)
{
    return inb(isa_dma_port(channel, reg));
}

static void write_pair(unsigned channel, unsigned reg, unsigned value)
{
    write_reg(channel, ISA_DMA_REG_CLEAR_FLIP_FLOP, 0);
    write_reg(channel, reg, value & UINT8_MAX);
    write_reg(channel, reg, value >> 8);
}

static unsigned read_pair(unsigned channel, unsigned reg)
{
    unsigned low;

    write_reg(channel, ISA_DMA_REG_CLEAR_FLIP_FLOP, 0);
    low = read_reg(channel, reg);
    return low | read_reg(channel, reg) << 8;
}

static unsigned address_of(unsigned channel)
{
    return read_pair(channel, ISA_DMA_REG_ADDRESS(isa_dma_local(channel)));
}

static unsigned count_of(unsigned channel)
{
    return read_pair(channel, ISA_DMA_REG_COUNT(isa_dma_local(channel)));
}

/* The 16 registers of 16 bits by number: two of each channel, the cascade's too. */
#define NR_PAIRS (2 * ISA_DMA_CHANNELS)

static unsigned pair_channel(unsigned pair)
{
    return pair / 2;
}

static unsigned pair_reg(unsigned pair)
{
    unsigned local = isa_dma_local(pair_channel(pair));

    return pair % 2 ? ISA_DMA_REG_COUNT(local) : ISA_DMA_REG_ADDRESS(local);
}

/* Writes a value of its own to each register, then looks at all: none is another's alias. */
static void check_pairs(struct test *t, const uint16_t *values)
{
    for (unsigned i = 0; i < NR_PAIRS; i++)
        write_pair(pair_channel(i), pair_reg(i), values[i]);
    for (unsigned i = 0; i < NR_PAIRS; i++) {
        unsigned found = read_pair(pair_channel(i), pair_reg(i));

        TEST_CHECK(t, found == values[i], "channel %u: %s register reads 0x%04x, 0x%04x written",
                   pair_channel(i), i % 2 ? "count" : "address", found, values[i]);
    }
}

static void case_registers(struct test *t)
{
    uint16_t values[NR_PAIRS];

    if (!take_all(t))
        return;
    for (unsigned bit = 0; bit < 2 * REG_BITS; bit++) {
        uint16_t walking = (uint16_t)BIT(bit % REG_BITS);

        for (unsigned i = 0; i < NR_PAIRS; i++)
            values[i] = bit < REG_BITS ? walking : (uint16_t)~walking;
        check_pairs(t, values);
    }
    for (unsigned round = 0; round < RANDOM_ROUNDS; round++) {
        for (unsigned i = 0; i < NR_PAIRS; i++)
            values[i] = (uint16_t)prng_u32(test_prng(t));
        check_pairs(t, values);
    }
    for (unsigned i = 0; i < NR_PAIRS; i++)
        write_pair(pair_channel(i), pair_reg(i), 0);
    give_back();
}

/* The bytes of a pair come in turn, whichever register is read, and each chip turns by itself. */
static void case_flip_flop(struct test *t)
{
    const unsigned a = 0, b = 3, other = 6;
    const unsigned reg_a = ISA_DMA_REG_ADDRESS(isa_dma_local(a));
    const unsigned reg_b = ISA_DMA_REG_COUNT(isa_dma_local(b));
    const unsigned reg_other = ISA_DMA_REG_ADDRESS(isa_dma_local(other));
    const unsigned value_a = 0x12a5, value_b = 0x34c3, value_other = 0x5699;
    unsigned found;

    if (!take_all(t))
        return;
    write_pair(a, reg_a, value_a);
    write_pair(b, reg_b, value_b);
    write_pair(other, reg_other, value_other);
    write_reg(a, ISA_DMA_REG_CLEAR_FLIP_FLOP, 0);
    write_reg(other, ISA_DMA_REG_CLEAR_FLIP_FLOP, 0);
    found = read_reg(a, reg_a);
    TEST_CHECK(t, found == (value_a & UINT8_MAX), "the first byte is 0x%02x, not 0x%02x", found,
               value_a & UINT8_MAX);
    found = read_reg(b, reg_b);
    TEST_CHECK(t, found == value_b >> 8, "another channel's byte after it is 0x%02x, not 0x%02x",
               found, value_b >> 8);
    found = read_reg(other, reg_other);
    TEST_CHECK(t, found == (value_other & UINT8_MAX),
               "the other chip's first byte is 0x%02x, not 0x%02x", found, value_other & UINT8_MAX);
    found = read_reg(a, reg_a);
    TEST_CHECK(t, found == (value_a & UINT8_MAX), "the third byte is 0x%02x, not 0x%02x", found,
               value_a & UINT8_MAX);
    write_reg(a, ISA_DMA_REG_CLEAR_FLIP_FLOP, 0);
    found = read_reg(a, reg_a);
    TEST_CHECK(t, found == (value_a & UINT8_MAX), "after a clear the byte is 0x%02x, not 0x%02x",
               found, value_a & UINT8_MAX);
    give_back();
}

static void case_pages(struct test *t)
{
    if (!take_all(t))
        return;
    for (unsigned value = 0; value <= UINT8_MAX; value++) {
        for (unsigned channel = 0; channel < ISA_DMA_CHANNELS; channel++) {
            if (page_ports[channel])
                outb(page_ports[channel], (uint8_t)(value + channel));
        }
        for (unsigned channel = 0; channel < ISA_DMA_CHANNELS; channel++) {
            unsigned wanted = (value + channel) & UINT8_MAX;
            unsigned found = page_ports[channel] ? inb(page_ports[channel]) : wanted;

            TEST_CHECK(t, found == wanted,
                       "channel %u: page register 0x%02x reads 0x%02x, 0x%02x written", channel,
                       page_ports[channel], found, wanted);
        }
    }
    give_back();
}

/* Starts a channel in verify mode, for what stands in the registers only. */
static int start_verify(unsigned channel, uint32_t addr, uint32_t bytes, unsigned flags)
{
    return isa_dma_start_unchecked(channel, dma_make(addr), bytes, DMA_FROM_DEVICE,
                                   flags | ISA_DMA_VERIFY);
}

static unsigned read_masks(unsigned channel)
{
    return read_reg(channel, ISA_DMA_REG_ALL_MASKS) & ISA_DMA_MASK_ALL;
}

/* Opens channels one by one by the driver, and looks at the masks of all. */
static void check_masks(struct test *t)
{
    for (unsigned channel = 0; channel < ISA_DMA_CHANNELS; channel++) {
        unsigned cascade = channel > ISA_DMA_CASCADE_CHANNEL ? BIT(0) : 0;
        unsigned wanted = ISA_DMA_MASK_ALL & ~BIT(isa_dma_local(channel)) & ~cascade;
        unsigned found;

        if (channel == ISA_DMA_CASCADE_CHANNEL)
            continue;
        start_verify(channel, 0, 2, 0);
        found = read_masks(channel);
        TEST_CHECK(t, found == wanted, "channel %u opened: masks are 0x%x, not 0x%x", channel,
                   found, wanted);
        isa_dma_stop(channel);
        wanted |= BIT(isa_dma_local(channel));
        found = read_masks(channel);
        TEST_CHECK(t, found == wanted, "channel %u closed: masks are 0x%x, not 0x%x", channel,
                   found, wanted);
        start_verify(channel, 0, 2, 0);
        isa_dma_mask_all();
        found = read_masks(channel);
        TEST_CHECK(t, found == wanted, "all channels closed: channel %u's chip has 0x%x, not 0x%x",
                   channel, found, wanted);
    }
}

/* Neither the 8237A nor every copy can say what its masks are. */
static void case_masks(struct test *t)
{
    unsigned closed, open;

    if (!take_all(t))
        return;
    isa_dma_mask_all();
    closed = read_masks(0);
    start_verify(0, 0, 2, 0);
    open = read_masks(0);
    isa_dma_stop(0);
    if (closed == open)
        test_skip(t, "this controller's masks can't be read: 0x%x", open);
    else
        check_masks(t);
    give_back();
}

/* What isa_dma_start_mode() has to make of a transfer. */
struct programme {
    unsigned channel, flags;
    uint32_t addr, bytes;
};

static struct programme random_programme(struct prng *prng, unsigned channel)
{
    static const unsigned modes[] = {0, ISA_DMA_DEMAND, ISA_DMA_BLOCK};
    bool words = channel > ISA_DMA_CASCADE_CHANNEL;
    uint32_t block = words ? ISA_DMA_BOUNDARY_16BIT + 1 : ISA_DMA_BOUNDARY_8BIT + 1;
    uint32_t unit = words ? 2 : 1;
    uint32_t first = prng_below(prng, block / unit) * unit;
    uint32_t left = (block - first) / unit;
    /* One in four is as long as can be. */
    uint32_t units = prng_below(prng, 4) ? 1 + prng_below(prng, left) : left;

    return (struct programme){
        .channel = channel,
        .flags = modes[prng_below(prng, ARRAY_SIZE(modes))] |
                 (prng_below(prng, 2) ? ISA_DMA_AUTOINIT : 0) |
                 (prng_below(prng, 2) ? ISA_DMA_DECREMENT : 0) | ISA_DMA_VERIFY,
        .addr = prng_below(prng, (uint32_t)ISA_DMA_LIMIT / block) * block + first,
        .bytes = units * unit,
    };
}

static void check_programme(struct test *t, const struct programme *p)
{
    bool words = p->channel > ISA_DMA_CASCADE_CHANNEL;
    uint32_t unit = words ? 2 : 1;
    uint32_t first = (p->flags & ISA_DMA_DECREMENT) ? p->addr + p->bytes - unit : p->addr;
    unsigned page = first >> REG_BITS & (words ? UINT8_MAX - 1 : UINT8_MAX);
    unsigned address = first / unit & UINT16_MAX;
    unsigned count = p->bytes / unit - 1;
    unsigned found;

    found = address_of(p->channel);
    TEST_CHECK(t, found == address, "channel %u, 0x%x+%u: address register 0x%04x, not 0x%04x",
               p->channel, p->addr, p->bytes, found, address);
    found = count_of(p->channel);
    TEST_CHECK(t, found == count, "channel %u, 0x%x+%u: count register 0x%04x, not 0x%04x",
               p->channel, p->addr, p->bytes, found, count);
    found = inb(page_ports[p->channel]);
    TEST_CHECK(t, found == page, "channel %u, 0x%x+%u: page register 0x%02x, not 0x%02x",
               p->channel, p->addr, p->bytes, found, page);
    TEST_CHECK(t, !isa_dma_done(p->channel), "channel %u: terminal count before the first unit",
               p->channel);
    found = isa_dma_residue(p->channel);
    TEST_CHECK(t, found == p->bytes, "channel %u, 0x%x+%u: residue is %u", p->channel, p->addr,
               p->bytes, found);
}

/* The other channels' pages, which a programme must leave alone, carry a mark. */
static void mark_pages(uint8_t mark)
{
    for (unsigned channel = 0; channel < ISA_DMA_CHANNELS; channel++) {
        if (page_ports[channel])
            outb(page_ports[channel], (uint8_t)(mark + channel));
    }
}

static void check_marks(struct test *t, uint8_t mark, unsigned but)
{
    for (unsigned channel = 0; channel < ISA_DMA_CHANNELS; channel++) {
        unsigned wanted = (uint8_t)(mark + channel);

        if (channel == but || !page_ports[channel])
            continue;
        TEST_CHECK(t, inb(page_ports[channel]) == wanted,
                   "channel %u was programmed: page register of channel %u is 0x%02x, not 0x%02x",
                   but, channel, inb(page_ports[channel]), wanted);
    }
}

static void case_programmes(struct test *t)
{
    if (!take_all(t))
        return;
    for (unsigned n = 0; n < PROGRAMMES * ISA_DMA_CHANNELS && !test_should_stop(t); n++) {
        struct programme p = random_programme(test_prng(t), n % ISA_DMA_CHANNELS);
        uint8_t mark = (uint8_t)prng_u32(test_prng(t));
        uint32_t left;
        int err;

        if (p.channel == ISA_DMA_CASCADE_CHANNEL)
            continue;
        mark_pages(mark);
        /* As an access that somebody else broke off would leave it. */
        (void)read_reg(p.channel, ISA_DMA_REG_ADDRESS(isa_dma_local(p.channel)));
        err = isa_dma_start_mode(p.channel, dma_make(p.addr), p.bytes, DMA_FROM_DEVICE, p.flags);
        if (!TEST_CHECK(t, !err, "channel %u, 0x%x+%u, flags 0x%x: error %d", p.channel, p.addr,
                        p.bytes, p.flags, -err))
            continue;
        check_programme(t, &p);
        check_marks(t, mark, p.channel);
        left = isa_dma_stop(p.channel);
        TEST_CHECK(t, left == p.bytes, "channel %u, 0x%x+%u: stopped with %u left", p.channel,
                   p.addr, p.bytes, left);
    }
    give_back();
}

static const struct refusal {
    unsigned channel;
    uint64_t addr;
    uint32_t bytes;
    const char *reason; /* NULL: none */
} refusals[] = {
    /* The end of the address space */
    {2, 0xffffff, 1, NULL},
    {2, 0xffffff, 2, "beyond 16 MiB"},
    {2, 0x1000000, 1, "beyond 16 MiB"},
    {2, 0xff0000, 0x10000, NULL},
    {2, UINT64_C(0x100000000), 1, "beyond 16 MiB"},
    {6, 0xfffffe, 2, NULL},
    {6, 0xfffffe, 4, "beyond 16 MiB"},
    {6, 0x1000000, 2, "beyond 16 MiB"},
    {6, 0xfe0000, 0x20000, NULL},
    /* The end of a block */
    {0, 0x1ffff, 1, NULL},
    {0, 0x1ffff, 2, "crosses 64 KiB"},
    {1, 0x10000, 0x10000, NULL},
    {1, 0x10001, 0xffff, NULL},
    {1, 0x10001, 0x10000, "crosses 64 KiB"},
    {3, 0x2fe00, 0x200, NULL},
    {3, 0x2fe00, 0x201, "crosses 64 KiB"},
    {5, 0x1fffe, 2, NULL},
    {5, 0x1fffe, 4, "crosses 128 KiB"},
    {5, 0x2fffe, 4, NULL}, /* 64 KiB are no border for words */
    {7, 0x20000, 0x20000, NULL},
    {7, 0x20002, 0x20000, "crosses 128 KiB"},
    /* Lengths and units */
    {2, 0, 0, "empty"},
    {2, 0, 0x10001, "too long"},
    {6, 0, 0, "empty"},
    {6, 0, 0x20002, "too long"},
    {6, 1, 2, "odd address"},
    {6, 2, 3, "odd length"},
    {2, 1, 3, NULL},
};

static void case_refusals(struct test *t)
{
    if (!take_all(t))
        return;
    for (unsigned i = 0; i < ARRAY_SIZE(refusals); i++) {
        const struct refusal *r = &refusals[i];
        const char *found = isa_dma_refusal(r->channel, dma_make(r->addr), r->bytes);
        bool same = found && r->reason ? strcmp(found, r->reason) == 0 : found == r->reason;

        TEST_CHECK(t, same, "channel %u, 0x%llx+%u: \"%s\", not \"%s\"", r->channel,
                   (unsigned long long)r->addr, r->bytes, found ? found : "taken",
                   r->reason ? r->reason : "taken");
        if (r->reason)
            TEST_CHECK(t,
                       isa_dma_start_mode(r->channel, dma_make(r->addr), r->bytes, DMA_FROM_DEVICE,
                                          ISA_DMA_VERIFY) != 0,
                       "channel %u started 0x%llx+%u", r->channel, (unsigned long long)r->addr,
                       r->bytes);
    }
    give_back();
}

/*
 * What the mapping layer gives to a channel, the channel takes: wherever the buffer lies, and above
 * all where it runs over the end of a block.
 */
static void check_mapping(struct test *t, struct device *dev, unsigned channel,
                          struct dma_arena *arena)
{
    struct prng *prng = test_prng(t);
    uint32_t unit = channel > ISA_DMA_CASCADE_CHANNEL ? 2 : 1;
    uint32_t block = dev->segment_boundary_mask + 1;
    uint32_t bytes = (1 + prng_below(prng, PAGE_SIZE * 2 / unit)) * unit;
    uint32_t in_front = prng_below(prng, bytes / unit + 1) * unit;
    /* Half of the buffers touch or cross the border, the others lie anywhere. */
    uint32_t anywhere = prng_below(prng, (DMA_ARENA_BYTES - bytes) / unit) * unit;
    uint32_t offset = prng_below(prng, 2) ? block - in_front : anywhere;
    dma_addr_t addr = dma_map_page(dev, arena->page, offset, bytes, DMA_TO_DEVICE);
    const char *refused;

    if (!TEST_CHECK(t, !dma_mapping_error(dev, addr), "0x%llx+%u can't be mapped",
                    addr_number(arena->phys + offset), bytes))
        return;
    refused = isa_dma_refusal(channel, addr, bytes);
    TEST_CHECK(t, !refused, "0x%llx+%u was mapped to 0x%llx: channel %u refuses it: %s",
               addr_number(arena->phys + offset), bytes, addr_number(addr), channel, refused);
    dma_unmap_page(dev, addr, bytes, DMA_TO_DEVICE);
}

static void case_mapping(struct test *t)
{
    static struct device devices[2];
    static const unsigned channels[] = {2, 6};

    if (!take_all(t))
        return;
    if (dma_arenas_open(arenas, test_prng(t)) == 0) {
        test_error(t, "no memory for buffers");
        give_back();
        return;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(devices); i++) {
        uint32_t boundary = i ? ISA_DMA_BOUNDARY_16BIT : ISA_DMA_BOUNDARY_8BIT;

        devices[i] = (struct device){
            .name = i ? "words" : "bytes",
            .dma_mask = DMA_BIT_MASK(24),
            .max_segment_bytes = boundary + 1,
            .segment_boundary_mask = boundary,
        };
        for (unsigned n = 0; n < MAPPINGS * DMA_NR_ARENAS; n++) {
            if (arenas[n % DMA_NR_ARENAS].page)
                check_mapping(t, &devices[i], channels[i], &arenas[n % DMA_NR_ARENAS]);
        }
        test_log(t, "%s: %u direct, %u bounced", devices[i].name, devices[i].counters.direct,
                 devices[i].counters.bounced);
    }
    give_back();
}

/*
 * Requests in the place of a device, in verify mode, at the end of a block: the address register
 * runs over into its own start and the page stays. An emulator may know no such requests; then they
 * must hang in the status until they are taken back, and count nothing.
 */
static void check_request(struct test *t, unsigned channel)
{
    const uint32_t units = 64, before = 16, page = 0x12;
    uint32_t unit = channel > ISA_DMA_CASCADE_CHANNEL ? 2 : 1;
    uint32_t end = (page << REG_BITS) + unit * (UINT16_MAX + 1);
    deadline_t deadline;
    unsigned address, count, found;
    bool done;

    start_verify(channel, end - before * unit, units * unit, ISA_DMA_BLOCK);
    isa_dma_software_request(channel, true);
    deadline = deadline_in_ms(REQUEST_LIMIT_MS);
    while (!isa_dma_done(channel) && !deadline_passed(deadline))
        cpu_relax();
    done = isa_dma_done(channel);
    address = address_of(channel);
    count = count_of(channel);
    isa_dma_stop(channel);
    TEST_CHECK(t, !isa_dma_is_requested(channel),
               "channel %u: a request stays after it is taken back", channel);
    if (!done) {
        TEST_CHECK(t, count == units - 1 && address == (UINT16_MAX + 1 - before),
                   "channel %u: no terminal count, but address 0x%04x and count 0x%04x moved",
                   channel, address, count);
        test_log(t, "channel %u: software requests are not served", channel);
        return;
    }
    TEST_CHECK(t, count == UINT16_MAX, "channel %u: terminal count at count 0x%04x", channel,
               count);
    TEST_CHECK(t, address == units - before,
               "channel %u: address 0x%04x after the wrap, not 0x%04x", channel, address,
               units - before);
    found = inb(page_ports[channel]);
    TEST_CHECK(t, found == page, "channel %u: page register counted to 0x%02x", channel, found);
    found = read_reg(channel, ISA_DMA_REG_STATUS) & ISA_DMA_STATUS_TC(isa_dma_local(channel));
    TEST_CHECK(t, !found, "channel %u: terminal count is still there when read again", channel);
    test_log(t, "channel %u: software requests are served, the address wraps to 0x%04x", channel,
             address);
}

/*
 * Bochs' controller (2.7) calls for a channel without a device what nobody has set, and so may end
 * Bochs. Its 440FX is the first revision of all, which no PC was sold with.
 */
static bool is_bochs(void)
{
    for (unsigned i = 0; i < pci_device_count(); i++) {
        const struct pci_device *pdev = pci_device_at(i);

        if (pdev->vendor == BOCHS_VENDOR && pdev->device == BOCHS_BRIDGE)
            return (pci_read_config32(pdev, PCI_CLASS_REVISION) & 0xff) == 0;
    }
    return false;
}

static void case_requests(struct test *t)
{
    if (is_bochs()) {
        test_skip(t, "Bochs' 8237 serves requests of channels that have a device only");
        return;
    }
    if (!take_all(t))
        return;
    check_request(t, 0);
    check_request(t, 6);
    give_back();
}

static const struct test_case cases[] = {
    {"registers", case_registers}, {"flip_flop", case_flip_flop},   {"pages", case_pages},
    {"masks", case_masks},         {"programmes", case_programmes}, {"refusals", case_refusals},
    {"mapping", case_mapping},     {"requests", case_requests},
};

SUITE(isa_dma) = {
    .name = "isa_dma",
    .rank = SUITE_RANK_WINDOWS,
    .about = "the 8237 DMA controllers by themselves: registers, pages, masks, limits",
    .cases = cases,
    .nr_cases = ARRAY_SIZE(cases),
    .abandon = abandon,
};
