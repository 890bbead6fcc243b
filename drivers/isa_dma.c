/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/isa_dma.h"
#include "lib/errno.h"
#include "lib/inject.h"
#include "lib/x86/cpu.h"
#include "lib/x86/io.h"

#define NR_CHANNELS 8u
#define CASCADE_CHANNEL 4u
#define CHANNELS_PER_CHIP 4u

/* Registers of a chip, from its base; the second chip's are two bytes apart (8237A, table 4). */
#define CHIP0_BASE 0x00u
#define CHIP1_BASE 0xc0u
#define REG_ADDRESS(channel) (2u * (channel))
#define REG_COUNT(channel) (2u * (channel) + 1)
#define REG_STATUS 0x8u  /* read */
#define REG_COMMAND 0x8u /* write */
#define REG_MASK 0xau    /* one channel's */
#define REG_MODE 0xbu
#define REG_CLEAR_FLIP_FLOP 0xcu
#define REG_MASTER_CLEAR 0xdu

#define MASK_SET BIT(2)
#define MODE_WRITE_MEMORY BIT(2)
#define MODE_READ_MEMORY BIT(3)
#define MODE_SINGLE BIT(6)
#define MODE_CASCADE (BIT(6) | BIT(7))
#define COMMAND_ENABLE 0u /* controller on, DREQ active high, DACK active low: as a PC is wired */

#define PAGE_SHIFT_8BIT 16u
/* The page register of a word channel holds address bits 23 to 17; its bit 0 is ignored. */
#define PAGE_MASK_16BIT 0xfeu
#define PROBE_ADDRESS 0x5aa5u

struct channel {
    const char *owner;
    uint32_t bytes; /* of the transfer programmed last */
    bool reached_tc;
};

/* Each channel belongs to its owner; `present` is set once by isa_dma_init(). */
static struct channel channels[NR_CHANNELS];
static bool present;

static const uint16_t page_ports[NR_CHANNELS] = {0x87, 0x83, 0x81, 0x82, 0x8f, 0x8b, 0x89, 0x8a};

static bool is_word_channel(unsigned channel)
{
    return channel > CASCADE_CHANNEL;
}

static uint16_t port(unsigned channel, unsigned reg)
{
    return (uint16_t)(channel < CASCADE_CHANNEL ? CHIP0_BASE + reg : CHIP1_BASE + 2 * reg);
}

static unsigned local(unsigned channel)
{
    return channel % CHANNELS_PER_CHIP;
}

static void mask_channel(unsigned channel, bool masked)
{
    outb(port(channel, REG_MASK), (uint8_t)(local(channel) | (masked ? MASK_SET : 0)));
}

/* A 16-bit register is two accesses through one port, told apart by a flip-flop. */
static void write_pair(unsigned channel, unsigned reg, uint32_t value)
{
    outb(port(channel, REG_CLEAR_FLIP_FLOP), 0);
    outb(port(channel, reg), (uint8_t)value);
    outb(port(channel, reg), (uint8_t)(value >> 8));
}

static uint32_t read_pair(unsigned channel, unsigned reg)
{
    uint32_t low, high;

    outb(port(channel, REG_CLEAR_FLIP_FLOP), 0);
    low = inb(port(channel, reg));
    high = inb(port(channel, reg));
    return low | high << 8;
}

int isa_dma_init(void)
{
    const unsigned probe_channel = 1;
    uint32_t flags = irq_save();

    for (unsigned first = 0; first < NR_CHANNELS; first += CHANNELS_PER_CHIP) {
        outb(port(first, REG_MASTER_CLEAR), 0); /* masks all four channels */
        outb(port(first, REG_COMMAND), COMMAND_ENABLE);
    }
    /* cppcheck-suppress badBitmaskCheck ; the cascade is channel 0 of its chip */
    outb(port(CASCADE_CHANNEL, REG_MODE), (uint8_t)(MODE_CASCADE | local(CASCADE_CHANNEL)));
    mask_channel(CASCADE_CHANNEL, false);

    write_pair(probe_channel, REG_ADDRESS(probe_channel), PROBE_ADDRESS);
    present = read_pair(probe_channel, REG_ADDRESS(probe_channel)) == PROBE_ADDRESS;
    write_pair(probe_channel, REG_ADDRESS(probe_channel), 0);
    irq_restore(flags);
    return present ? 0 : -ENODEV;
}

int isa_dma_request(unsigned channel, const char *owner)
{
    const char *nobody = NULL;

    if (channel >= NR_CHANNELS || channel == CASCADE_CHANNEL)
        return -EINVAL;
    if (!present)
        return -ENODEV;
    if (!__atomic_compare_exchange_n(&channels[channel].owner, &nobody, owner, false,
                                     __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        return -EBUSY;
    return 0;
}

void isa_dma_free(unsigned channel)
{
    if (channel < NR_CHANNELS)
        __atomic_store_n(&channels[channel].owner, NULL, __ATOMIC_RELEASE);
}

const char *isa_dma_owner(unsigned channel)
{
    return channel < NR_CHANNELS ? channels[channel].owner : NULL;
}

const char *isa_dma_refusal(unsigned channel, dma_addr_t addr, uint32_t bytes)
{
    bool words = is_word_channel(channel);
    uint32_t boundary = words ? ISA_DMA_BOUNDARY_16BIT : ISA_DMA_BOUNDARY_8BIT;

    if (bytes == 0)
        return "empty";
    if (bytes - 1 > boundary)
        return "too long";
    if (words && (addr_number(addr) & 1))
        return "odd address";
    if (words && (bytes & 1))
        return "odd length";
    if (addr + bytes > dma_make(ISA_DMA_LIMIT))
        return "beyond 16 MiB";
    if ((addr_number(addr) & boundary) + bytes - 1 > boundary)
        return words ? "crosses 128 KiB" : "crosses 64 KiB";
    return NULL;
}

/* Reading the status clears the terminal counts of all four channels: each is noted for its own. */
static void note_terminal_counts(unsigned channel)
{
    unsigned first = channel - local(channel);
    uint8_t status = inb(port(channel, REG_STATUS));

    for (unsigned i = 0; i < CHANNELS_PER_CHIP; i++) {
        if (status & BIT(i))
            channels[first + i].reached_tc = true;
    }
}

int isa_dma_start(unsigned channel, dma_addr_t addr, uint32_t bytes, enum dma_data_direction dir)
{
    struct channel *ch = &channels[channel];
    uint32_t units = is_word_channel(channel) ? bytes / 2 : bytes;
    uint32_t start =
        (uint32_t)(is_word_channel(channel) ? addr_number(addr) / 2 : addr_number(addr));
    uint32_t page = (uint32_t)(addr_number(addr) >> PAGE_SHIFT_8BIT);
    uint32_t mode = MODE_SINGLE | local(channel);
    uint32_t flags;

    if (channel >= NR_CHANNELS || !ch->owner)
        return -EBUSY;
    if (dir == DMA_BIDIRECTIONAL)
        return -EINVAL;
    if (isa_dma_refusal(channel, addr, bytes))
        return -ERANGE;
    mode |= dir == DMA_FROM_DEVICE ? MODE_WRITE_MEMORY : MODE_READ_MEMORY;
    if (is_word_channel(channel))
        page &= PAGE_MASK_16BIT;

    /* The chip is shared by four channels and its flip-flop by all accesses: no interruption. */
    flags = irq_save();
    mask_channel(channel, true);
    outb(port(channel, REG_MODE), (uint8_t)mode);
    write_pair(channel, REG_ADDRESS(local(channel)), start);
    if (!inject(isa_ignore_page_register, dma_bounce))
        outb(page_ports[channel], (uint8_t)page);
    write_pair(channel, REG_COUNT(local(channel)), units - 1);
    note_terminal_counts(channel); /* among them an old one of this channel */
    ch->bytes = bytes;
    ch->reached_tc = false;
    mask_channel(channel, false);
    irq_restore(flags);
    return 0;
}

bool isa_dma_done(unsigned channel)
{
    uint32_t flags = irq_save();
    bool done;

    note_terminal_counts(channel);
    done = channels[channel].reached_tc;
    irq_restore(flags);
    return done;
}

uint32_t isa_dma_residue(unsigned channel)
{
    uint32_t flags = irq_save();
    uint32_t units = (read_pair(channel, REG_COUNT(local(channel))) + 1) & 0xffff;
    uint32_t bytes = is_word_channel(channel) ? 2 * units : units;

    irq_restore(flags);
    /* The counter ends at 0xffff; before the first unit of a full-length transfer it is there too.
     */
    if (units == 0)
        return isa_dma_done(channel) ? 0 : channels[channel].bytes;
    return bytes;
}

uint32_t isa_dma_stop(unsigned channel)
{
    uint32_t left;
    uint32_t flags = irq_save();

    mask_channel(channel, true);
    left = isa_dma_residue(channel);
    irq_restore(flags);
    return left;
}
