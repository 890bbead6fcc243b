/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The 8237 driver against a model of the two controllers: modes that no emulator looks at, and the
 * order of accesses that only a real one would mind.
 */
#include "ci/unit/unit.h"

#define LIB_X86_IO_H
#define LIB_X86_CPU_H
static uint8_t inb(uint16_t port);
static void outb(uint16_t port, uint8_t value);
static unsigned irqs_off;
static uint32_t irq_save(void)
{
    return irqs_off++;
}
static void irq_restore(uint32_t flags)
{
    irqs_off = flags;
}

#include "drivers/isa_dma.c"

#define CHIPS 2u
#define LOCALS 4u
#define CASCADE 4u

/* 82371AB data sheet, 4.2.1: the page register of each channel */
static const uint16_t pages_at[] = {0x87, 0x83, 0x81, 0x82, 0x8f, 0x8b, 0x89, 0x8a};

/* 8237A data sheet, figure 5: as software writes them */
static struct chip {
    uint16_t address[LOCALS], count[LOCALS];
    uint8_t mode[LOCALS];
    uint8_t command, masked, requested, reached;
    bool high_next;
} chips[CHIPS];
static uint8_t pages[2 * LOCALS];
static bool absent, moves; /* a unit for each low byte that is read */

static void write_half(struct chip *chip, uint16_t *word, uint8_t value)
{
    *word = chip->high_next ? (uint16_t)((*word & 0xff) | value << 8)
                            : (uint16_t)((*word & 0xff00) | value);
    chip->high_next = !chip->high_next;
}

static uint8_t read_half(struct chip *chip, uint16_t *word)
{
    uint16_t now = *word;

    chip->high_next = !chip->high_next;
    *word = (uint16_t)(now - (moves && chip->high_next));
    return (uint8_t)(chip->high_next ? now : now >> 8);
}

static void write_chip(struct chip *chip, unsigned reg, uint8_t value)
{
    uint8_t bit = (uint8_t)(1u << (value & 3));
    unsigned local = reg / 2;

    switch (reg) {
    case 0x8:
        chip->command = value;
        break;
    case 0x9:
        chip->requested = (uint8_t)(value & 4 ? chip->requested | bit : chip->requested & ~bit);
        break;
    case 0xa:
        chip->masked = (uint8_t)(value & 4 ? chip->masked | bit : chip->masked & ~bit);
        break;
    case 0xb:
        assert_true(chip->masked & bit); /* nothing moves while it is half programmed */
        chip->mode[value & 3] = value & 0xfc;
        break;
    case 0xc:
        chip->high_next = false;
        break;
    case 0xd:
        memset(chip, 0, sizeof(*chip));
        chip->masked = 0xf;
        break;
    case 0xf:
        chip->masked = value & 0xf;
        break;
    default:
        assert_true(reg < 0x8);
        assert_true(chip->masked & 1u << local);
        write_half(chip, reg % 2 ? &chip->count[local] : &chip->address[local], value);
    }
}

static struct chip *chip_at(uint16_t port, unsigned *reg)
{
    if (port < 0x10) {
        *reg = port;
        return &chips[0];
    }
    assert_true(port >= 0xc0 && port < 0xe0 && port % 2 == 0);
    *reg = (port - 0xc0u) / 2;
    return &chips[1];
}

static void outb(uint16_t port, uint8_t value)
{
    unsigned reg;
    struct chip *chip;

    assert_true(irqs_off);
    for (unsigned i = 0; i < ARRAY_SIZE(pages_at); i++) {
        if (port != pages_at[i])
            continue;
        assert_true(chips[i / LOCALS].masked & 1u << i % LOCALS);
        pages[i] = value;
        return;
    }
    chip = chip_at(port, &reg);
    write_chip(chip, reg, value);
}

static uint8_t inb(uint16_t port)
{
    unsigned reg;
    struct chip *chip = chip_at(port, &reg);
    uint8_t status = (uint8_t)(chip->reached | chip->requested << 4);

    assert_true(irqs_off);
    if (absent)
        return 0xff;
    if (reg == 0x8) {
        chip->reached = 0;
        return status;
    }
    assert_true(reg < 0x8);
    return read_half(chip, reg % 2 ? &chip->count[reg / 2] : &chip->address[reg / 2]);
}

static struct chip *chip_of(unsigned channel)
{
    return &chips[channel / LOCALS];
}

static bool is_open(unsigned channel)
{
    return !(chip_of(channel)->masked & 1u << channel % LOCALS);
}

/* The device has moved all. */
static void reach_end(unsigned channel)
{
    chip_of(channel)->reached |= (uint8_t)(1u << channel % LOCALS);
    chip_of(channel)->count[channel % LOCALS] = 0xffff;
}

static int set_up(void **state)
{
    (void)state;
    memset(chips, 0xa5, sizeof(chips)); /* firmware of the UEFI kind leaves anything */
    memset(channels, 0, sizeof(channels));
    absent = moves = false;
    assert_int_equal(isa_dma_init(), 0);
    for (unsigned i = 0; i < ISA_DMA_CHANNELS; i++) {
        if (i != CASCADE)
            assert_int_equal(isa_dma_request(i, "test"), 0);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    assert_int_equal(irqs_off, 0);
    return 0;
}

static void test_init(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ISA_DMA_CHANNELS; i++)
        assert_int_equal(is_open(i), i == CASCADE);
    assert_int_equal(chips[1].mode[0], 0xc0);
    assert_int_equal(chips[0].command | chips[1].command, 0);
    absent = true;
    assert_int_equal(isa_dma_init(), -ENODEV);
    assert_false(isa_dma_is_present());
    isa_dma_free(1);
    assert_int_equal(isa_dma_request(1, "late"), -ENODEV);
}

static void test_owners(void **state)
{
    (void)state;
    assert_int_equal(isa_dma_request(CASCADE, "x"), -EINVAL);
    assert_int_equal(isa_dma_request(ISA_DMA_CHANNELS, "x"), -EINVAL);
    assert_int_equal(isa_dma_request(3, "x"), -EBUSY);
    assert_string_equal(isa_dma_owner(3), "test");
    isa_dma_free(3);
    assert_null(isa_dma_owner(3));
    assert_int_equal(isa_dma_start(3, dma_make(0), 16, DMA_TO_DEVICE), -EBUSY);
    assert_int_equal(isa_dma_request(3, "x"), 0);
    assert_string_equal(isa_dma_owner(3), "x");
}

/* What the data sheet's mode register should hold. */
static uint8_t mode_wanted(enum dma_data_direction dir, unsigned flags)
{
    uint8_t mode = 0x40;

    if (flags & ISA_DMA_DEMAND)
        mode = 0;
    if (flags & ISA_DMA_BLOCK)
        mode = 0x80;
    if (!(flags & ISA_DMA_VERIFY))
        mode |= dir == DMA_FROM_DEVICE ? 0x04 : 0x08;
    return (uint8_t)(mode | (flags & ISA_DMA_AUTOINIT ? 0x10 : 0) |
                     (flags & ISA_DMA_DECREMENT ? 0x20 : 0));
}

static void check_start(unsigned channel, enum dma_data_direction dir, unsigned flags)
{
    const uint32_t at = 0xb61234, bytes = 0x2468;
    bool words = channel > CASCADE;
    uint32_t first = flags & ISA_DMA_DECREMENT ? at + bytes - (words ? 2 : 1) : at;
    unsigned local = channel % LOCALS;
    const struct chip *chip = chip_of(channel);

    if ((flags & ISA_DMA_DEMAND) && (flags & ISA_DMA_BLOCK)) {
        assert_int_equal(isa_dma_start_mode(channel, dma_make(at), bytes, dir, flags), -EINVAL);
        return;
    }
    chip_of(channel)->reached = 0xf;
    chip_of(channel)->high_next = true;
    assert_int_equal(isa_dma_start_mode(channel, dma_make(at), bytes, dir, flags), 0);
    assert_true(is_open(channel));
    assert_int_equal(chip->mode[local], mode_wanted(dir, flags));
    assert_int_equal(chip->address[local], (words ? first / 2 : first) & 0xffff);
    assert_int_equal(chip->count[local], (words ? bytes / 2 : bytes) - 1);
    assert_int_equal(pages[channel], words ? first >> 16 & 0xfe : first >> 16);
    assert_false(isa_dma_done(channel));
    assert_int_equal(isa_dma_residue(channel), bytes);
    assert_int_equal(isa_dma_stop(channel), bytes);
    assert_false(is_open(channel));
}

static void test_start(void **state)
{
    (void)state;
    for (unsigned channel = 0; channel < ISA_DMA_CHANNELS; channel++) {
        for (unsigned flags = 0; flags <= ISA_DMA_ALL_FLAGS && channel != CASCADE; flags++) {
            check_start(channel, DMA_FROM_DEVICE, flags);
            check_start(channel, DMA_TO_DEVICE, flags);
        }
    }
    assert_int_equal(isa_dma_start(1, dma_make(0), 16, DMA_BIDIRECTIONAL), -EINVAL);
    assert_int_equal(isa_dma_start_mode(1, dma_make(0), 16, DMA_TO_DEVICE, ISA_DMA_ALL_FLAGS + 1),
                     -EINVAL);
    assert_int_equal(isa_dma_start(1, dma_make(0xfff8), 16, DMA_TO_DEVICE), -ERANGE);
    assert_false(is_open(1));
}

/* One look at the status takes the ends of all four channels. */
static void test_ends(void **state)
{
    (void)state;
    for (unsigned i = 1; i < 4; i++)
        assert_int_equal(isa_dma_start(i, dma_make(0x10000), 0x10000, DMA_FROM_DEVICE), 0);
    assert_int_equal(isa_dma_residue(1), 0x10000);
    reach_end(1);
    reach_end(3);
    assert_true(isa_dma_done(1));
    assert_false(isa_dma_done(2));
    assert_true(isa_dma_done(3));
    assert_int_equal(isa_dma_residue(3), 0);
    assert_int_equal(isa_dma_start(2, dma_make(0x10000), 16, DMA_FROM_DEVICE), 0);
    assert_true(isa_dma_took_tc(3));
    assert_false(isa_dma_took_tc(3));
    assert_int_equal(isa_dma_stop(1), 0);
    assert_true(isa_dma_done(1));
}

/* Between the two bytes of its count. */
static void test_moving_count(void **state)
{
    (void)state;
    assert_int_equal(isa_dma_start(1, dma_make(0x10000), 0x200, DMA_FROM_DEVICE), 0);
    chips[0].count[1] = 0x101; /* read again: 0x000, and then 0x0ff */
    moves = true;
    assert_int_equal(isa_dma_residue(1), 0x100);
}

static void test_autoinit(void **state)
{
    (void)state;
    assert_int_equal(isa_dma_start_mode(6, dma_make(0x20000), 512, DMA_TO_DEVICE, ISA_DMA_AUTOINIT),
                     0);
    reach_end(6);
    chips[1].count[2] = 255; /* loaded anew */
    assert_true(isa_dma_took_tc(6));
    assert_int_equal(isa_dma_residue(6), 512);
    chips[1].count[2] = 0xffff; /* between the last unit and the load */
    assert_int_equal(isa_dma_residue(6), 512);
    isa_dma_stop(6);
    assert_false(is_open(6));
    isa_dma_resume(6);
    assert_true(is_open(6));
}

static void test_requests(void **state)
{
    (void)state;
    assert_int_equal(isa_dma_start_mode(3, dma_make(0), 16, DMA_TO_DEVICE, ISA_DMA_BLOCK), 0);
    isa_dma_software_request(3, true);
    assert_int_equal(chips[0].requested, 1u << 3);
    assert_true(isa_dma_is_requested(3));
    assert_false(isa_dma_is_requested(2));
    isa_dma_stop(3);
    assert_int_equal(chips[0].requested, 0);
}

static void test_cascade(void **state)
{
    (void)state;
    assert_int_equal(isa_dma_cascade(2), -EINVAL);
    isa_dma_free(6);
    assert_int_equal(isa_dma_cascade(6), -EBUSY);
    assert_int_equal(isa_dma_cascade(7), 0);
    assert_int_equal(chips[1].mode[3], 0xc0);
    assert_true(is_open(7));
    isa_dma_mask_all();
    for (unsigned i = 0; i < ISA_DMA_CHANNELS; i++)
        assert_int_equal(is_open(i), i == CASCADE);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_init),         TEST(test_owners),   TEST(test_start),    TEST(test_ends),
        TEST(test_moving_count), TEST(test_autoinit), TEST(test_requests), TEST(test_cascade),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
