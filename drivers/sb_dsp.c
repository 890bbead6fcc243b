/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/sb_dsp.h"
#include "drivers/clock.h"
#include "lib/errno.h"
#include "lib/inject.h"
#include "lib/x86/io.h"

/* Ports, from the base */
#define PORT_MIXER_INDEX 0x4u
#define PORT_MIXER_DATA 0x5u
#define PORT_RESET 0x6u
#define PORT_READ 0xau
#define PORT_WRITE 0xcu
#define WRITE_BUSY BIT(7)
#define PORT_STATUS 0xeu /* reading it acknowledges the interrupt of 8 bits */
#define STATUS_DATA BIT(7)
#define PORT_ACK_16BIT 0xfu

/* Commands */
#define DSP_OUTPUT_RATE 0x41u
#define DSP_INPUT_RATE 0x42u
#define DSP_START_16BIT 0xb0u
#define DSP_START_8BIT 0xc0u
#define START_INPUT BIT(3)
#define START_AUTOINIT BIT(2)
#define START_FIFO BIT(1)
#define MODE_SIGNED BIT(4)
#define MODE_STEREO BIT(5)
#define DSP_PAUSE_8BIT 0xd0u
#define DSP_PAUSE_16BIT 0xd5u
#define DSP_EXIT_16BIT 0xd9u
#define DSP_EXIT_8BIT 0xdau
#define DSP_VERSION 0xe1u
#define DSP_READY 0xaau /* what it says after a reset */

/* Registers of the mixer */
#define MIXER_MASTER_LEFT 0x30u
#define MIXER_VOICE_RIGHT 0x33u
#define MIXER_OUTPUT_SWITCHES 0x3cu
#define MIXER_INPUT_LEFT 0x3du
#define MIXER_INPUT_RIGHT 0x3eu
#define MIXER_LOUDEST 0xf8u
#define MIXER_LINE 0x80u
#define MIXER_CHANNELS 0x81u /* bit n is channel n */
#define CHANNELS_8BIT 0x0bu
#define CHANNELS_16BIT 0xe0u
#define MIXER_INTERRUPTS 0x82u
#define INTERRUPT_8BIT BIT(0)
#define INTERRUPT_16BIT BIT(1)

#define RESET_HOLD_US 5u
#define RESET_LIMIT_MS 2u
#define COMMAND_LIMIT_MS 20u

static uint16_t port(const struct sb_dsp *dsp, unsigned offset)
{
    return (uint16_t)(dsp->base + offset);
}

static uint8_t mixer_read(const struct sb_dsp *dsp, uint8_t reg)
{
    outb(port(dsp, PORT_MIXER_INDEX), reg);
    return inb(port(dsp, PORT_MIXER_DATA));
}

static void mixer_write(const struct sb_dsp *dsp, uint8_t reg, uint8_t value)
{
    outb(port(dsp, PORT_MIXER_INDEX), reg);
    outb(port(dsp, PORT_MIXER_DATA), value);
}

static bool dsp_write(const struct sb_dsp *dsp, unsigned value)
{
    deadline_t deadline = deadline_in_ms(COMMAND_LIMIT_MS);

    while (inb(port(dsp, PORT_WRITE)) & WRITE_BUSY) {
        if (deadline_passed(deadline))
            return false;
    }
    outb(port(dsp, PORT_WRITE), (uint8_t)value);
    return true;
}

/* Returns what the DSP says, or a negative errno. */
static int dsp_read(const struct sb_dsp *dsp, uint32_t limit_ms)
{
    deadline_t deadline = deadline_in_ms(limit_ms);

    while (!(inb(port(dsp, PORT_STATUS)) & STATUS_DATA)) {
        if (deadline_passed(deadline))
            return -ETIMEDOUT;
    }
    return inb(port(dsp, PORT_READ));
}

bool sb_dsp_reset(const struct sb_dsp *dsp)
{
    outb(port(dsp, PORT_RESET), 1);
    delay_us(RESET_HOLD_US);
    outb(port(dsp, PORT_RESET), 0);
    return dsp_read(dsp, RESET_LIMIT_MS) == DSP_READY;
}

int sb_dsp_find(const struct sb_dsp *dsp)
{
    int major, minor;

    if (!sb_dsp_reset(dsp))
        return -ENODEV;
    if (!dsp_write(dsp, DSP_VERSION))
        return -EIO;
    major = dsp_read(dsp, COMMAND_LIMIT_MS);
    minor = dsp_read(dsp, COMMAND_LIMIT_MS);
    return major < 0 || minor < 0 ? -EIO : major << 8 | minor;
}

bool sb_dsp_start(const struct sb_dsp *dsp, const struct sb_dsp_transfer *transfer)
{
    uint32_t length = transfer->block - 1;
    uint32_t command = transfer->words ? DSP_START_16BIT : DSP_START_8BIT;
    uint32_t mode = MODE_SIGNED;

    if (!transfer->autoinit && length > 0 && inject(sb16_short_block, dma_sound))
        length--;
    if (transfer->autoinit && inject(sb16_stereo, sound))
        mode |= MODE_STEREO;
    if (transfer->input)
        command |= START_INPUT;
    if (transfer->autoinit)
        command |= START_AUTOINIT | START_FIFO;
    return dsp_write(dsp, transfer->input ? DSP_INPUT_RATE : DSP_OUTPUT_RATE) &&
           dsp_write(dsp, transfer->rate_hz >> 8) &&
           dsp_write(dsp, transfer->rate_hz & UINT8_MAX) && dsp_write(dsp, command) &&
           dsp_write(dsp, mode) && dsp_write(dsp, length & UINT8_MAX) &&
           dsp_write(dsp, length >> 8);
}

bool sb_dsp_stop(const struct sb_dsp *dsp, bool words)
{
    return dsp_write(dsp, words ? DSP_EXIT_16BIT : DSP_EXIT_8BIT) &&
           dsp_write(dsp, words ? DSP_PAUSE_16BIT : DSP_PAUSE_8BIT);
}

void sb_dsp_acknowledge(const struct sb_dsp *dsp)
{
    inb(port(dsp, PORT_STATUS));
    inb(port(dsp, PORT_ACK_16BIT));
}

uint8_t sb_mixer_interrupts(const struct sb_dsp *dsp)
{
    return mixer_read(dsp, MIXER_INTERRUPTS);
}

bool sb_dsp_take_interrupt(const struct sb_dsp *dsp, bool words)
{
    if (!(sb_mixer_interrupts(dsp) & (words ? INTERRUPT_16BIT : INTERRUPT_8BIT)))
        return false;
    inb(port(dsp, words ? PORT_ACK_16BIT : PORT_STATUS));
    return true;
}

void sb_mixer_set(const struct sb_dsp *dsp, bool audible)
{
    for (uint8_t reg = MIXER_MASTER_LEFT; reg <= MIXER_VOICE_RIGHT; reg++)
        mixer_write(dsp, reg, audible ? MIXER_LOUDEST : 0);
    mixer_write(dsp, MIXER_OUTPUT_SWITCHES, 0);
    mixer_write(dsp, MIXER_INPUT_LEFT, 0);
    mixer_write(dsp, MIXER_INPUT_RIGHT, 0);
}

int sb_mixer_line(const struct sb_dsp *dsp)
{
    static const uint8_t lines[] = {9, 5, 7, 10}; /* the first is called 2 there */
    uint8_t set = mixer_read(dsp, MIXER_LINE);

    for (unsigned i = 0; i < ARRAY_SIZE(lines); i++) {
        if (set & BIT(i))
            return lines[i];
    }
    return -ENODEV;
}

int sb_mixer_channel(const struct sb_dsp *dsp, bool words)
{
    uint32_t set = mixer_read(dsp, MIXER_CHANNELS) & (words ? CHANNELS_16BIT : CHANNELS_8BIT);

    return set ? __builtin_ctz(set) : -ENODEV;
}
