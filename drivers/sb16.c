/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sound Blaster 16 (Creative, "Sound Blaster Series Hardware Programming Guide", 2nd edition,
 * chapters 2, 3 and 6), by the 8237.
 *
 * One card is four clients: 8 bits by a byte channel and 16 bits by a word channel, each in single
 * cycle (the DSP ends with the block) and auto-initialised (DSP and 8237 run round in the buffer,
 * an interrupt for each half, until they are stopped: so what is played may be followed by its own
 * beginning). Mono, for which all cards count alike. Which line and channels it has, the mixer
 * says: PnP cards are set up by the firmware.
 */
#include "drivers/clock.h"
#include "drivers/isa_dma.h"
#include "drivers/sound.h"
#include "drivers/transfer.h"
#include "lib/errno.h"
#include "lib/inject.h"
#include "lib/x86/io.h"
#include "paging/page_alloc.h"

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

/* Commands of the DSP */
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
#define VERSION_MIN 4u

/* Registers of the CT1745 mixer */
#define MIXER_MASTER_LEFT 0x30u
#define MIXER_VOICE_RIGHT 0x33u
#define MIXER_OUTPUT_SWITCHES 0x3cu
#define MIXER_INPUT_LEFT 0x3du
#define MIXER_INPUT_RIGHT 0x3eu
#define MIXER_LOUDEST 0xf8u
#define MIXER_LINE 0x80u
#define MIXER_CHANNELS 0x81u
#define MIXER_INTERRUPTS 0x82u
#define INTERRUPT_8BIT BIT(0)
#define INTERRUPT_16BIT BIT(1)
#define CHANNELS_8BIT 0x0bu
#define CHANNELS_16BIT 0xe0u

#define RESET_HOLD_US 5u
#define RESET_LIMIT_MS 2u
#define DSP_LIMIT_MS 20u
#define TRANSFER_LIMIT_MS 4000u /* the longest takes 1.5 s */
#define PROBE_LIMIT_MS 300u
#define TRANSFER_COST_MS 100u
/*
 * What was played is still on its way in an emulator, which forgets it when the format changes:
 * that long after the last.
 */
#define SETTLE_MS 100u

#define NR_KINDS 4u

static const struct kind {
    const char *name, *stream;
    bool words, autoinit;
} kinds[NR_KINDS] = {
    {"sb16_8", SOUND_STREAM_S8_MONO, false, false},
    {"sb16_16", SOUND_STREAM_S16_MONO, true, false},
    {"sb16_8a", SOUND_STREAM_S8_MONO_LOOPS, false, true},
    {"sb16_16a", SOUND_STREAM_S16_MONO_LOOPS, true, true},
};

struct voice {
    struct dma_client client;
    struct completion completion;
    struct device dev;
    const struct kind *kind;
    uint8_t channel; /* of the 8237 */
};

/* The lock is with whoever has the DSP: one transfer at a time. */
static struct sb16 {
    struct voice voice[NR_KINDS];
    uint16_t base;
    struct sound_lock lock;
    bool words;         /* of the last transfer */
    uint8_t blocks;     /* interrupts until the transfer is done */
    bool moved;         /* at all, in the last transfer */
    deadline_t settled; /* when the last transfer is certain to have been heard */
} card;

static const uint16_t bases[] = {0x220, 0x240};

static uint16_t port(unsigned offset)
{
    return (uint16_t)(card.base + offset);
}

static uint8_t mixer_read(uint8_t reg)
{
    outb(port(PORT_MIXER_INDEX), reg);
    return inb(port(PORT_MIXER_DATA));
}

static void mixer_write(uint8_t reg, uint8_t value)
{
    outb(port(PORT_MIXER_INDEX), reg);
    outb(port(PORT_MIXER_DATA), value);
}

static bool dsp_write(unsigned value)
{
    deadline_t deadline = deadline_in_ms(DSP_LIMIT_MS);

    while (inb(port(PORT_WRITE)) & WRITE_BUSY) {
        if (deadline_passed(deadline))
            return false;
    }
    outb(port(PORT_WRITE), (uint8_t)value);
    return true;
}

/* Returns what the DSP says, or a negative errno. */
static int dsp_read(uint32_t limit_ms)
{
    deadline_t deadline = deadline_in_ms(limit_ms);

    while (!(inb(port(PORT_STATUS)) & STATUS_DATA)) {
        if (deadline_passed(deadline))
            return -ETIMEDOUT;
    }
    return inb(port(PORT_READ));
}

static bool dsp_reset(void)
{
    outb(port(PORT_RESET), 1);
    delay_us(RESET_HOLD_US);
    outb(port(PORT_RESET), 0);
    return dsp_read(RESET_LIMIT_MS) == DSP_READY;
}

static bool sb16_service(struct completion *c)
{
    struct voice *voice = container_of(c, struct voice, completion);
    bool words = voice->kind->words;
    uint8_t mask = words ? INTERRUPT_16BIT : INTERRUPT_8BIT;
    bool ours = mixer_read(MIXER_INTERRUPTS) & mask;

    if (ours) {
        inb(port(words ? PORT_ACK_16BIT : PORT_STATUS));
        if (card.blocks > 0)
            card.blocks--;
        c->done = card.blocks == 0;
    }
    return ours;
}

static bool start_dsp(const struct voice *voice, uint32_t bytes, bool input)
{
    const struct kind *kind = voice->kind;
    uint32_t samples = kind->words ? bytes / 2 : bytes;
    uint32_t length = (kind->autoinit ? samples / 2 : samples) - 1;
    uint8_t command = kind->words ? DSP_START_16BIT : DSP_START_8BIT;
    uint8_t mode = MODE_SIGNED;

    if (!kind->autoinit && length > 0 && inject(sb16_short_block, dma_sound))
        length--;
    if (input)
        command |= START_INPUT;
    if (kind->autoinit)
        command |= START_AUTOINIT | START_FIFO;
    if (kind->autoinit && inject(sb16_stereo, sound))
        mode |= MODE_STEREO;
    return dsp_write(input ? DSP_INPUT_RATE : DSP_OUTPUT_RATE) && dsp_write(SOUND_RATE_HZ >> 8) &&
           dsp_write(SOUND_RATE_HZ & UINT8_MAX) && dsp_write(command) && dsp_write(mode) &&
           dsp_write(length & UINT8_MAX) && dsp_write(length >> 8);
}

/* An auto-initialised transfer goes on: it is told to end, and then stopped at once. */
static bool stop_dsp(const struct voice *voice)
{
    bool words = voice->kind->words;

    if (!voice->kind->autoinit)
        return true;
    return dsp_write(words ? DSP_EXIT_16BIT : DSP_EXIT_8BIT) &&
           dsp_write(words ? DSP_PAUSE_16BIT : DSP_PAUSE_8BIT);
}

/*
 * In single cycle the DSP has asked for as many units as the 8237 had. QEMU's reloads the count
 * then, as if it were auto-initialised.
 */
static int check_position(struct voice *voice, uint32_t bytes, uint32_t left)
{
    if (voice->kind->autoinit ? left <= bytes : left == 0 || left == bytes)
        return 0;
    return client_error(&voice->client, -EIO, "channel %u has %u of %u bytes left at the end",
                        voice->channel, left, bytes);
}

static int run(struct voice *voice, dma_addr_t addr, uint32_t bytes, enum dma_data_direction dir,
               uint32_t limit_ms)
{
    struct dma_client *client = &voice->client;
    struct completion *c = &voice->completion;
    uint32_t left;
    int err = isa_dma_start_mode(voice->channel, addr, bytes, dir,
                                 voice->kind->autoinit ? ISA_DMA_AUTOINIT : 0);

    if (err)
        return client_error(client, err, "channel %u: 0x%llx+%u %s", voice->channel,
                            addr_number(addr), bytes, isa_dma_refusal(voice->channel, addr, bytes));
    /* What an earlier transfer that failed may have left. */
    inb(port(PORT_STATUS));
    inb(port(PORT_ACK_16BIT));
    card.blocks = voice->kind->autoinit ? 2 : 1;
    completion_begin(c);
    if (start_dsp(voice, bytes, dir == DMA_FROM_DEVICE))
        err = completion_wait(c, limit_ms);
    else
        err = -EIO;
    if (!err && !stop_dsp(voice))
        err = -EIO;
    completion_end(c);
    left = isa_dma_stop(voice->channel);
    card.moved = !err || left != bytes;
    if (err) {
        client_error(client, err, "%s in %u ms, channel %u has %u of %u left, interrupts 0x%x",
                     err == -EIO         ? "DSP takes no command"
                     : c->interrupt_lost ? "no interrupt"
                                         : "not done",
                     limit_ms, voice->channel, left, bytes, mixer_read(MIXER_INTERRUPTS));
        dsp_reset();
        return err;
    }
    return check_position(voice, bytes, left);
}

/* The DSP in the format of the transfer. */
static void settle(const struct voice *voice)
{
    while (card.words != voice->kind->words && !deadline_passed(card.settled))
        continue;
    card.words = voice->kind->words;
}

static int transfer(struct voice *voice, struct page *page, uint32_t offset, uint32_t bytes,
                    enum dma_data_direction dir, uint32_t limit_ms)
{
    struct dma_client *client = &voice->client;
    dma_addr_t addr;
    int err = sound_check_request(client, offset, bytes);

    if (!err)
        err = sound_claim(client, &card.lock);
    if (err)
        return err;
    err = isa_dma_request(voice->channel, "sb16");
    if (err) {
        sound_release(&card.lock);
        return client_error(client, err, "channel %u is %s's", voice->channel,
                            isa_dma_owner(voice->channel));
    }
    addr = dma_map_page(client->dev, page, offset, bytes, dir);
    if (dma_mapping_error(client->dev, addr)) {
        err = client_error(client, -ENOMEM, "mapping of %u bytes failed", bytes);
    } else {
        settle(voice);
        err = run(voice, addr, bytes, dir, limit_ms);
        card.settled = deadline_in_ms(SETTLE_MS);
        sound_unmap(client->dev, addr, bytes, err ? 0 : bytes, dir);
    }
    isa_dma_free(voice->channel);
    sound_release(&card.lock);
    return err;
}

static int sb16_send(struct dma_client *client, struct page *page, uint32_t offset, uint32_t bytes)
{
    return transfer(container_of(client, struct voice, client), page, offset, bytes, DMA_TO_DEVICE,
                    TRANSFER_LIMIT_MS);
}

static int sb16_capture(struct dma_client *client, struct page *page, uint32_t offset,
                        uint32_t bytes)
{
    return transfer(container_of(client, struct voice, client), page, offset, bytes,
                    DMA_FROM_DEVICE, TRANSFER_LIMIT_MS);
}

/* Only if somebody was taken away in the middle of a transfer: else the DSP is idle. */
static void sb16_quiet(struct dma_client *client)
{
    struct voice *voice = container_of(client, struct voice, client);

    if (!card.lock.taken)
        return;
    dsp_reset();
    isa_dma_stop(voice->channel);
    isa_dma_free(voice->channel);
    card.lock.taken = false;
}

static void set_mixer(bool audible)
{
    for (uint8_t reg = MIXER_MASTER_LEFT; reg <= MIXER_VOICE_RIGHT; reg++)
        mixer_write(reg, audible ? MIXER_LOUDEST : 0);
    mixer_write(MIXER_OUTPUT_SWITCHES, 0);
    mixer_write(MIXER_INPUT_LEFT, 0);
    mixer_write(MIXER_INPUT_RIGHT, 0);
}

static uint8_t line_of_mixer(void)
{
    static const uint8_t lines[] = {9, 5, 7, 10}; /* the first is called 2 there */
    uint8_t set = mixer_read(MIXER_LINE);

    for (unsigned i = 0; i < ARRAY_SIZE(lines); i++) {
        if (set & BIT(i))
            return lines[i];
    }
    return COMPLETION_NO_LINE;
}

/* Bit n of the mixer's register is channel n. Returns false if it names none. */
static bool channel_of_mixer(bool words, uint8_t *channel)
{
    uint32_t set = mixer_read(MIXER_CHANNELS) & (words ? CHANNELS_16BIT : CHANNELS_8BIT);

    if (!set)
        return false;
    *channel = (uint8_t)__builtin_ctz(set);
    return true;
}

/* Registers the client, if there is a channel for it. */
static bool add_voice(struct voice *voice, const struct kind *kind, uint8_t line, bool audible)
{
    uint32_t unit = kind->words ? 2 : 1;

    if (!channel_of_mixer(kind->words, &voice->channel))
        return false;
    voice->kind = kind;
    voice->dev = (struct device){
        .name = kind->name,
        .dma_mask = DMA_BIT_MASK(24),
        .max_segment_bytes = KIB(64) * unit,
        .segment_boundary_mask = kind->words ? ISA_DMA_BOUNDARY_16BIT : ISA_DMA_BOUNDARY_8BIT,
    };
    voice->completion = (struct completion){
        .service = sb16_service,
        .name = "sb16",
        .line = line,
        .by_interrupt = true,
    };
    voice->client = (struct dma_client){
        .name = kind->name,
        .dev = &voice->dev,
        .granule_bytes = kind->autoinit ? 2 * unit : unit,
        .max_bytes = KIB(64) * unit,
        .align_bytes = unit,
        .cost_ms = TRANSFER_COST_MS,
        .stream = kind->stream,
        .muted = !audible,
        .send = sb16_send,
        .capture = sb16_capture,
        .completion = &voice->completion,
        .quiet = sb16_quiet,
    };
    dma_client_register(&voice->client);
    return true;
}

/* An emulator without a source of sound has a DSP that never asks for a byte. */
static bool can_record(struct voice *voice)
{
    struct page *page = alloc_pages(GFP_DMA, 0);
    int err = -ENOMEM;

    if (page) {
        voice->completion.by_interrupt = false;
        err = transfer(voice, page, 0, PAGE_SIZE, DMA_FROM_DEVICE, PROBE_LIMIT_MS);
        voice->completion.by_interrupt = true;
        __free_pages(page, 0);
    }
    return err != -ETIMEDOUT || card.moved;
}

/* Returns the version of the DSP at card.base, or a negative errno. */
static int find_dsp(void)
{
    int major, minor;

    if (!dsp_reset())
        return -ENODEV;
    if (!dsp_write(DSP_VERSION))
        return -EIO;
    major = dsp_read(DSP_LIMIT_MS);
    minor = dsp_read(DSP_LIMIT_MS);
    return major < 0 || minor < 0 ? -EIO : major << 8 | minor;
}

static int set_up(int version)
{
    bool audible = sound_is_audible("sb16"), records;
    uint8_t line = line_of_mixer();
    unsigned found = 0;

    set_mixer(audible);
    for (unsigned i = 0; i < NR_KINDS; i++)
        found += add_voice(&card.voice[i], &kinds[i], line, audible);
    if (!card.voice[0].kind) {
        probe_report("sb16", -ENODEV, "port 0x%x: the mixer names no DMA channel (0x%x)", card.base,
                     mixer_read(MIXER_CHANNELS));
        return -ENODEV;
    }
    records = can_record(&card.voice[0]);
    for (unsigned i = 0; i < NR_KINDS && !records; i++)
        card.voice[i].client.capture = NULL;
    probe_report("sb16", 0, "port 0x%x: DSP %u.%02u, line %u, channels %u and %u, %s%s", card.base,
                 (unsigned)version >> 8, (unsigned)version & UINT8_MAX, line, card.voice[0].channel,
                 found == NR_KINDS ? card.voice[1].channel : 0, audible ? "audible" : "muted",
                 records ? "" : ", does not record");
    return 0;
}

static int sb16_probe(void)
{
    int version = -ENODEV;

    if (!isa_dma_is_present()) {
        probe_report("sb16", -ENODEV, "not looked for without an 8237");
        return -ENODEV;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(bases) && version < 0; i++) {
        card.base = bases[i];
        version = find_dsp();
    }
    if (version < 0) {
        probe_report("sb16", version, "no DSP answers a reset at port 0x%x or 0x%x", bases[0],
                     bases[1]);
        return version;
    }
    if ((unsigned)version >> 8 < VERSION_MIN) {
        probe_report("sb16", -ENODEV, "port 0x%x: DSP %u.%02u is older than 4.00", card.base,
                     (unsigned)version >> 8, (unsigned)version & UINT8_MAX);
        return -ENODEV;
    }
    return set_up(version);
}

TABLE_ENTRY(isa_driver, struct isa_driver) = {.name = "sb16", .probe = sb16_probe};
