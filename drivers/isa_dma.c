/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/isa_dma.h"
#include "drivers/isa_dma_regs.h"
#include "lib/errno.h"
#include "lib/inject.h"
#include "lib/x86/cpu.h"
#include "lib/x86/io.h"

#define PAGE_SHIFT_8BIT 16u
/* The page register of a word channel holds address bits 23 to 17; its bit 0 is ignored. */
#define PAGE_MASK_16BIT 0xfeu
#define PROBE_ADDRESS 0x5aa5u
/* A count that moves on between two reads of it: so often is it read anew. */
#define COUNT_ATTEMPTS 8u

struct channel {
    const char *owner;
    uint32_t bytes; /* of the transfer programmed last */
    bool autoinit;
    bool reached_tc;
};

/* Each channel belongs to its owner; `present` is set once by isa_dma_init(). */
static struct channel channels[ISA_DMA_CHANNELS];
static bool present;

static const uint16_t page_ports[ISA_DMA_CHANNELS] = {0x87, 0x83, 0x81, 0x82,
                                                      0x8f, 0x8b, 0x89, 0x8a};

static bool is_word_channel(unsigned channel)
{
    return channel > ISA_DMA_CASCADE_CHANNEL;
}

static void write_reg(unsigned channel, unsigned reg, unsigned value)
{
    outb(isa_dma_port(channel, reg), (uint8_t)value);
}

static void mask_channel(unsigned channel, bool masked)
{
    write_reg(channel, ISA_DMA_REG_MASK, isa_dma_local(channel) | (masked ? ISA_DMA_SET : 0));
}

static void clear_flip_flop(unsigned channel)
{
    if (!inject(isa_keep_flip_flop, isa_dma))
        write_reg(channel, ISA_DMA_REG_CLEAR_FLIP_FLOP, 0);
}

/* A 16-bit register is two accesses through one port, told apart by a flip-flop. */
static void write_pair(unsigned channel, unsigned reg, uint32_t value)
{
    clear_flip_flop(channel);
    write_reg(channel, reg, value & UINT8_MAX);
    write_reg(channel, reg, value >> 8 & UINT8_MAX);
}

static uint32_t read_pair(unsigned channel, unsigned reg)
{
    uint16_t port = isa_dma_port(channel, reg);
    uint32_t low, high;

    clear_flip_flop(channel);
    low = inb(port);
    high = inb(port);
    return low | high << 8;
}

int isa_dma_init(void)
{
    const unsigned probe_channel = 1;
    const unsigned cascade = ISA_DMA_CASCADE_CHANNEL;
    uint32_t flags = irq_save();

    for (unsigned first = 0; first < ISA_DMA_CHANNELS; first += ISA_DMA_CHANNELS_PER_CHIP) {
        write_reg(first, ISA_DMA_REG_MASTER_CLEAR, 0); /* masks all four channels */
        write_reg(first, ISA_DMA_REG_COMMAND, ISA_DMA_COMMAND_ENABLE);
    }
    /* cppcheck-suppress badBitmaskCheck ; the cascade is channel 0 of its chip */
    write_reg(cascade, ISA_DMA_REG_MODE, ISA_DMA_MODE_CASCADE | isa_dma_local(cascade));
    mask_channel(cascade, false);

    write_pair(probe_channel, ISA_DMA_REG_ADDRESS(probe_channel), PROBE_ADDRESS);
    present = read_pair(probe_channel, ISA_DMA_REG_ADDRESS(probe_channel)) == PROBE_ADDRESS;
    write_pair(probe_channel, ISA_DMA_REG_ADDRESS(probe_channel), 0);
    irq_restore(flags);
    return present ? 0 : -ENODEV;
}

bool isa_dma_is_present(void)
{
    return present;
}

int isa_dma_request(unsigned channel, const char *owner)
{
    const char *nobody = NULL;

    if (channel >= ISA_DMA_CHANNELS || channel == ISA_DMA_CASCADE_CHANNEL)
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
    if (channel < ISA_DMA_CHANNELS)
        __atomic_store_n(&channels[channel].owner, NULL, __ATOMIC_RELEASE);
}

const char *isa_dma_owner(unsigned channel)
{
    return channel < ISA_DMA_CHANNELS ? channels[channel].owner : NULL;
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
    if (addr + bytes > dma_make(ISA_DMA_LIMIT + inject(isa_limit_off_by_one, isa_dma)))
        return "beyond 16 MiB";
    if ((addr_number(addr) & boundary) + bytes - 1 > boundary)
        return words ? "crosses 128 KiB" : "crosses 64 KiB";
    return NULL;
}

/* Reading the status clears the terminal counts of all four channels: each is noted for its own. */
static uint8_t note_terminal_counts(unsigned channel)
{
    unsigned first = channel - isa_dma_local(channel);
    uint8_t status = inb(isa_dma_port(channel, ISA_DMA_REG_STATUS));

    for (unsigned i = 0; i < ISA_DMA_CHANNELS_PER_CHIP; i++) {
        if (status & ISA_DMA_STATUS_TC(i))
            channels[first + i].reached_tc = true;
    }
    return status;
}

static unsigned mode_of(unsigned channel, enum dma_data_direction dir, unsigned flags)
{
    unsigned mode = isa_dma_local(channel);
    bool to_memory = (dir == DMA_FROM_DEVICE) ^ inject(isa_wrong_direction, isa_dma_floppy);

    if (flags & ISA_DMA_BLOCK)
        mode |= ISA_DMA_MODE_BLOCK;
    else
        mode |= (flags & ISA_DMA_DEMAND) ? ISA_DMA_MODE_DEMAND : ISA_DMA_MODE_SINGLE;
    if (!(flags & ISA_DMA_VERIFY))
        mode |= to_memory ? ISA_DMA_MODE_WRITE_MEMORY : ISA_DMA_MODE_READ_MEMORY;
    if ((flags & ISA_DMA_AUTOINIT) && !inject(isa_forget_autoinit, isa_dma_floppy))
        mode |= ISA_DMA_MODE_AUTOINIT;
    if (flags & ISA_DMA_DECREMENT)
        mode |= ISA_DMA_MODE_DECREMENT;
    return mode;
}

int isa_dma_start_unchecked(unsigned channel, dma_addr_t addr, uint32_t bytes,
                            enum dma_data_direction dir, unsigned flags)
{
    bool words = is_word_channel(channel);
    uint32_t units = words ? bytes / 2 : bytes;
    uint32_t first = (uint32_t)addr_number(addr);
    uint32_t page, irqs;
    struct channel *ch;

    if (channel >= ISA_DMA_CHANNELS || !channels[channel].owner)
        return -EBUSY;
    if (dir == DMA_BIDIRECTIONAL || (flags & ~ISA_DMA_ALL_FLAGS) ||
        ((flags & ISA_DMA_DEMAND) && (flags & ISA_DMA_BLOCK)))
        return -EINVAL;
    ch = &channels[channel];
    if (flags & ISA_DMA_DECREMENT)
        first += words ? bytes - 2 : bytes - 1;
    page = first >> PAGE_SHIFT_8BIT & (words ? PAGE_MASK_16BIT : UINT8_MAX);

    /* The chip is shared by four channels and its flip-flop by all accesses: no interruption. */
    irqs = irq_save();
    mask_channel(channel, true);
    write_reg(channel, ISA_DMA_REG_MODE, mode_of(channel, dir, flags));
    write_pair(channel, ISA_DMA_REG_ADDRESS(isa_dma_local(channel)), words ? first / 2 : first);
    if (!inject(isa_ignore_page_register, dma_bounce))
        outb((uint16_t)(page_ports[channel] + inject(isa_page_port_off_by_one, isa_dma)),
             (uint8_t)page);
    write_pair(channel, ISA_DMA_REG_COUNT(isa_dma_local(channel)),
               units - !inject(isa_count_off_by_one, isa_dma));
    note_terminal_counts(channel); /* among them an old one of this channel */
    ch->bytes = bytes;
    ch->autoinit = flags & ISA_DMA_AUTOINIT;
    ch->reached_tc = false;
    mask_channel(channel, false);
    irq_restore(irqs);
    return 0;
}

int isa_dma_start_mode(unsigned channel, dma_addr_t addr, uint32_t bytes,
                       enum dma_data_direction dir, unsigned flags)
{
    if (isa_dma_refusal(channel, addr, bytes))
        return -ERANGE;
    return isa_dma_start_unchecked(channel, addr, bytes, dir, flags);
}

int isa_dma_start(unsigned channel, dma_addr_t addr, uint32_t bytes, enum dma_data_direction dir)
{
    return isa_dma_start_mode(channel, addr, bytes, dir, 0);
}

int isa_dma_cascade(unsigned channel)
{
    uint32_t flags;

    if (channel >= ISA_DMA_CHANNELS || !is_word_channel(channel))
        return -EINVAL;
    if (!channels[channel].owner)
        return -EBUSY;
    flags = irq_save();
    mask_channel(channel, true);
    write_reg(channel, ISA_DMA_REG_MODE, ISA_DMA_MODE_CASCADE | isa_dma_local(channel));
    mask_channel(channel, false);
    irq_restore(flags);
    return 0;
}

static void set_request(unsigned channel, bool on)
{
    write_reg(channel, ISA_DMA_REG_REQUEST, isa_dma_local(channel) | (on ? ISA_DMA_SET : 0));
}

void isa_dma_software_request(unsigned channel, bool on)
{
    uint32_t flags = irq_save();

    /* Clearing a request may drop a terminal count unread. */
    note_terminal_counts(channel);
    set_request(channel, on);
    irq_restore(flags);
}

void isa_dma_resume(unsigned channel)
{
    uint32_t flags = irq_save();

    mask_channel(channel, false);
    irq_restore(flags);
}

bool isa_dma_is_requested(unsigned channel)
{
    uint32_t flags = irq_save();
    uint8_t status = note_terminal_counts(channel);

    irq_restore(flags);
    return status & ISA_DMA_STATUS_REQUEST(isa_dma_local(channel));
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

bool isa_dma_took_tc(unsigned channel)
{
    uint32_t flags = irq_save();
    bool took = isa_dma_done(channel);

    channels[channel].reached_tc = false;
    irq_restore(flags);
    return took;
}

/* The count may move on between its two bytes: a reading counts if the next has its high byte. */
static uint32_t read_count(unsigned channel)
{
    unsigned reg = ISA_DMA_REG_COUNT(isa_dma_local(channel));
    uint32_t count = read_pair(channel, reg);

    for (unsigned i = 0; i < COUNT_ATTEMPTS; i++) {
        uint32_t before = count;

        count = read_pair(channel, reg);
        if (count >> 8 == before >> 8)
            break;
    }
    return count;
}

uint32_t isa_dma_residue(unsigned channel)
{
    struct channel *ch = &channels[channel];
    uint32_t flags = irq_save();
    uint32_t units = (read_count(channel) + 1) & UINT16_MAX;

    irq_restore(flags);
    if (units > 0)
        return is_word_channel(channel) ? 2 * units : units;
    /*
     * The counter ends at 0xffff; before the first unit of a full-length transfer it is there too.
     * One that is loaded anew is there only then.
     */
    return ch->autoinit || !isa_dma_done(channel) ? ch->bytes : 0;
}

uint32_t isa_dma_stop(unsigned channel)
{
    uint32_t left;
    uint32_t flags = irq_save();

    mask_channel(channel, true);
    left = isa_dma_residue(channel);
    isa_dma_software_request(channel, false);
    irq_restore(flags);
    return left;
}

void isa_dma_mask_all(void)
{
    uint32_t flags = irq_save();

    write_reg(0, ISA_DMA_REG_ALL_MASKS, ISA_DMA_MASK_ALL);
    write_reg(ISA_DMA_CASCADE_CHANNEL, ISA_DMA_REG_ALL_MASKS,
              ISA_DMA_MASK_ALL & ~BIT(isa_dma_local(ISA_DMA_CASCADE_CHANNEL)));
    irq_restore(flags);
}
