/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ensoniq AudioPCI (ES1370 data sheet, "Register descriptions"), with the AK4531 as its mixer.
 *
 * Playback is DAC2, recording the ADC, both 16 bits and stereo at one rate. Each runs round in a
 * frame: an address, a size in longwords, and a count that the chip keeps. Of a frame it moves what
 * it likes ahead, and after the last longword it begins with the first again; a second counter, of
 * samples, is there to interrupt. The chip is stopped when that has come to its end, or when the
 * samples that it counted, asked from time to time, are enough. So what is played may be followed
 * by the beginning of the same (dma_client.stream says "loops").
 *
 * The stop mode of DAC2 would end by itself; neither QEMU nor Bochs has it.
 */
#include "drivers/clock.h"
#include "drivers/sound_card.h"
#include "lib/errno.h"
#include "lib/inject.h"
#include "lib/x86/io.h"

#define ES1370_VENDOR 0x1274u
#define ES1370_DEVICE 0x5000u

/* Registers, from BAR 0 */
#define ES1370_BAR 0u
#define WINDOW_BYTES 0x40u
#define REG_CONTROL 0x00u
#define CONTROL_CODEC_ENABLE BIT(1)
#define CONTROL_ADC_ENABLE BIT(4)
#define CONTROL_DAC2_ENABLE BIT(5)
#define CONTROL_CLOCK_DIVISOR(divisor) ((uint32_t)(divisor) << 16)
#define REG_STATUS 0x04u
#define STATUS_ADC BIT(0)
#define STATUS_DAC2 BIT(1)
#define STATUS_CODEC_BUSY BIT(10)
#define REG_PAGE 0x0cu /* which of its internal registers stand at 0x30 to 0x3f */
#define PAGE_DAC 0xcu
#define PAGE_ADC 0xdu
#define REG_CODEC 0x10u
#define REG_SERIAL 0x20u
#define SERIAL_DAC2_STEREO BIT(2)
#define SERIAL_DAC2_16BIT BIT(3)
#define SERIAL_ADC_STEREO BIT(4)
#define SERIAL_ADC_16BIT BIT(5)
#define SERIAL_DAC2_INTERRUPT BIT(9)
#define SERIAL_ADC_INTERRUPT BIT(10)
#define SERIAL_DAC2_END_INCREMENT (2u << 19) /* bytes of a sample of one channel */
#define REG_DAC2_SAMPLES 0x28u               /* counts down in the upper half, from the lower */
#define REG_ADC_SAMPLES 0x2cu
#define REG_ADC_ADDRESS 0x30u  /* in PAGE_ADC */
#define REG_ADC_FRAME 0x34u    /* longwords done in the upper half, their number - 1 in the lower */
#define REG_DAC2_ADDRESS 0x38u /* in PAGE_DAC */
#define REG_DAC2_FRAME 0x3cu

/* The rate of DAC2 and ADC is 1411200 Hz / (divisor + 2). */
#define CLOCK_HZ 1411200u
#define CLOCK_DIVISOR (CLOCK_HZ / SOUND_RATE_HZ - 2)

/* AK4531 data sheet, register map. Volumes: the upper bit mutes, 0 is loudest. */
#define CODEC_WRITE(reg, value) ((uint16_t)((reg) << 8 | (value)))
#define CODEC_MASTER_LEFT 0x00u
#define CODEC_VOICE_RIGHT 0x03u
#define CODEC_LAST_VOLUME 0x0fu
#define CODEC_OUTPUT_SWITCH_1 0x10u
#define CODEC_OUTPUT_SWITCH_2 0x11u
#define OUTPUT_VOICE 0x0cu
#define CODEC_INPUT_SWITCH_1 0x12u
#define CODEC_INPUT_SWITCH_LAST 0x15u
#define CODEC_RESET 0x16u
#define CODEC_RUNNING 0x03u
#define CODEC_MUTE 0x9fu /* and most attenuated */
#define CODEC_LIMIT_MS 10u

#define LONGWORD_BYTES 4u /* and a sample of both channels */
#define FRAME_BYTES_MAX KIB(128)
#define SAMPLES_MAX 0xffffu
/*
 * The chip collects what it records before it writes it: that many samples later the last of the
 * frame has been written.
 */
#define COLLECTED_SAMPLES 16u

/* What is different for the two directions. */
struct path {
    uint32_t enable, interrupt, status;
    uint32_t samples_reg, page, address_reg, frame_reg;
    const char *name;
};

static const struct path playback = {
    CONTROL_DAC2_ENABLE, SERIAL_DAC2_INTERRUPT, STATUS_DAC2, REG_DAC2_SAMPLES, PAGE_DAC,
    REG_DAC2_ADDRESS,    REG_DAC2_FRAME,        "DAC2",
};
static const struct path recording = {
    CONTROL_ADC_ENABLE, SERIAL_ADC_INTERRUPT, STATUS_ADC,    REG_ADC_SAMPLES,
    PAGE_ADC,           REG_ADC_ADDRESS,      REG_ADC_FRAME, "ADC",
};

struct es1370 {
    struct sound_card card;
    uint16_t base;
    /* Of the transfer under way */
    const struct path *path;
    uint32_t samples; /* after how many it is stopped */
};

static struct es1370 cards[SOUND_CARDS];

static uint16_t reg(const struct es1370 *card, uint32_t offset)
{
    return (uint16_t)(card->base + offset);
}

static uint32_t control_idle(void)
{
    return CONTROL_CODEC_ENABLE | CONTROL_CLOCK_DIVISOR(CLOCK_DIVISOR);
}

static uint32_t serial_idle(void)
{
    uint32_t serial = SERIAL_DAC2_STEREO | SERIAL_DAC2_16BIT | SERIAL_ADC_STEREO |
                      SERIAL_ADC_16BIT | SERIAL_DAC2_END_INCREMENT;

    return inject(es1370_mono, sound) ? serial & ~SERIAL_DAC2_STEREO : serial;
}

/* Both converters off, no interrupt requested: an interrupt is taken back by its enable bit. */
static void halt(const struct es1370 *card)
{
    outl(reg(card, REG_CONTROL), control_idle());
    outl(reg(card, REG_SERIAL), serial_idle());
}

static uint32_t samples_moved(const struct es1370 *card)
{
    return SAMPLES_MAX - (inl(reg(card, card->path->samples_reg)) >> 16);
}

static bool es1370_service(struct completion *c)
{
    struct es1370 *card = container_of(c, struct es1370, card.completion);
    bool wants = inl(reg(card, REG_STATUS)) & card->path->status;

    if (c->requested ? wants : samples_moved(card) >= card->samples) {
        halt(card);
        c->done = true;
    }
    return wants;
}

/* Returns false if the codec stays busy. */
static bool codec_write(const struct es1370 *card, unsigned codec_reg, unsigned value)
{
    deadline_t deadline = deadline_in_ms(CODEC_LIMIT_MS);

    while (inl(reg(card, REG_STATUS)) & STATUS_CODEC_BUSY) {
        if (deadline_passed(deadline))
            return false;
    }
    outw(reg(card, REG_CODEC), CODEC_WRITE(codec_reg, value));
    return true;
}

/* Everything muted and no way in or out; then DAC2's alone, if it may be heard. */
static bool set_mixer(const struct es1370 *card, bool audible)
{
    bool ok = codec_write(card, CODEC_RESET, CODEC_RUNNING);

    for (unsigned i = CODEC_MASTER_LEFT; i <= CODEC_LAST_VOLUME; i++)
        ok &= codec_write(card, i, CODEC_MUTE);
    for (unsigned i = CODEC_OUTPUT_SWITCH_1; i <= CODEC_INPUT_SWITCH_LAST; i++)
        ok &= codec_write(card, i, 0);
    if (!audible)
        return ok;
    for (unsigned i = CODEC_MASTER_LEFT; i <= CODEC_VOICE_RIGHT; i++)
        ok &= codec_write(card, i, 0);
    return ok && codec_write(card, CODEC_OUTPUT_SWITCH_2, OUTPUT_VOICE);
}

/* Sets the frame up. The chip must hold what was written, or it works somewhere else. */
static int set_frame(struct es1370 *card, dma_addr_t addr, uint32_t bytes)
{
    const struct path *path = card->path;
    uint32_t size = bytes / LONGWORD_BYTES - 1;
    uint32_t address = (uint32_t)addr_number(addr), found;

    if (addr + bytes - 1 > card->card.client.dev->dma_mask)
        return client_error(&card->card.client, -ERANGE, "address 0x%llx+%u has more than 32 bits",
                            addr_number(addr), bytes);
    if (path == &playback && inject(es1370_short_frame, sound))
        size--;
    if (path == &recording && inject(es1370_long_frame, dma_sound))
        size++;
    outl(reg(card, REG_PAGE), path->page);
    outl(reg(card, path->address_reg), address);
    outl(reg(card, path->frame_reg), size);
    found = inl(reg(card, path->address_reg));
    if (found != address)
        return client_error(&card->card.client, -EPROTO, "%s: frame address is 0x%x, not 0x%x",
                            path->name, found, address);
    found = inl(reg(card, path->frame_reg));
    if (found != size)
        return client_error(&card->card.client, -EPROTO, "%s: frame count is 0x%x, not 0x%x",
                            path->name, found, size);
    return 0;
}

/* The chip stopped by itself, or by us: its position must lie in the frame. */
static int check_position(struct es1370 *card, uint32_t bytes)
{
    uint32_t frame = inl(reg(card, card->path->frame_reg));

    if ((frame >> 16) <= (frame & 0xffff) && (frame & 0xffff) < bytes / LONGWORD_BYTES)
        return 0;
    return client_error(&card->card.client, -EPROTO,
                        "%s: frame count 0x%08x at the end of %u longwords", card->path->name,
                        frame, bytes / LONGWORD_BYTES);
}

static int es1370_run(struct sound_card *sound_card, bool records, dma_addr_t addr, uint32_t bytes,
                      uint32_t limit_ms)
{
    struct es1370 *card = container_of(sound_card, struct es1370, card);
    const struct path *path = records ? &recording : &playback;
    struct completion *c = &sound_card->completion;
    int err;

    card->path = path;
    card->samples = bytes / LONGWORD_BYTES + (path == &recording ? COLLECTED_SAMPLES : 0);
    halt(card);
    err = set_frame(card, addr, bytes);
    if (err)
        return err;
    completion_begin(c);
    outl(reg(card, path->samples_reg), c->requested ? card->samples - 1 : SAMPLES_MAX);
    outl(reg(card, REG_SERIAL), serial_idle() | (c->requested ? path->interrupt : 0));
    outl(reg(card, REG_CONTROL), control_idle() | path->enable);
    err = completion_wait(c, limit_ms);
    if (err)
        client_error(&card->card.client, err, "%s %s in %u ms, status 0x%x frame 0x%x samples 0x%x",
                     path->name, c->interrupt_lost ? "no interrupt" : "not done", limit_ms,
                     inl(reg(card, REG_STATUS)), inl(reg(card, path->frame_reg)),
                     inl(reg(card, path->samples_reg)));
    sound_card->moved = !err || samples_moved(card) > 0;
    halt(card);
    completion_end(c);
    return err ? err : check_position(card, bytes);
}

static void es1370_stop(struct sound_card *card)
{
    halt(container_of(card, struct es1370, card));
}

static int es1370_open(struct sound_card *sound_card, bool audible)
{
    struct es1370 *card = container_of(sound_card, struct es1370, card);
    struct dma_client *client = &sound_card->client;
    bool mixer_answers;
    uint16_t command;

    card->base = pci_bar_port(sound_card->pdev, ES1370_BAR, WINDOW_BYTES);
    if (!card->base)
        return client_error(client, -ENODEV, "BAR %u %s", ES1370_BAR, pci_bar_problem(-ENODEV));
    command = pci_enable(sound_card->pdev, PCI_COMMAND_IO);
    halt(card);
    mixer_answers = set_mixer(card, audible);
    pci_restore_command(sound_card->pdev, command);
    return mixer_answers ? 0 : client_error(client, -EIO, "the codec stays busy");
}

static const struct sound_card_kind es1370_kind = {
    .cards = {&cards[0].card, &cards[1].card},
    .granule_bytes = LONGWORD_BYTES,
    .max_bytes = FRAME_BYTES_MAX,
    .stream = SOUND_STREAM_S16_STEREO_LOOPS,
    .open = es1370_open,
    .service = es1370_service,
    .run = es1370_run,
    .stop = es1370_stop,
};

static const struct pci_match es1370_ids[] = {{ES1370_VENDOR, ES1370_DEVICE, 0, 0}};

TABLE_ENTRY(pci_driver, struct pci_driver) = {
    .name = "es1370",
    .match = es1370_ids,
    .nr_match = ARRAY_SIZE(es1370_ids),
    .probe = sound_card_probe,
    .kind = &es1370_kind,
};
