/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sound Blaster 16 (drivers/sb_dsp.h), by the 8237.
 *
 * One card is four clients: 8 bits by a byte channel and 16 bits by a word channel, each in single
 * cycle (the DSP ends with the block) and auto-initialised (DSP and 8237 run round in the buffer,
 * an interrupt for each half, until they are stopped: so what is played may be followed by its own
 * beginning). Mono, for which all cards count alike. Which line and channels it has, the mixer
 * says: PnP cards are set up by the firmware.
 */
#include "drivers/clock.h"
#include "drivers/isa_dma.h"
#include "drivers/sb_dsp.h"
#include "drivers/sound.h"
#include "drivers/transfer.h"
#include "lib/errno.h"
#include "paging/page_alloc.h"
#include "paging/wait.h"

#define VERSION_MIN 4u

/* The DSP takes 65536; Bochs then counts to none. */
#define MAX_SAMPLES (KIB(64) - 4)

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
    struct sb_dsp dsp;
    struct yield_lock lock;
    const struct voice *owner; /* of the lock, in a transfer */
    bool words;                /* of the last transfer */
    uint8_t blocks;            /* interrupts until the transfer is done */
    bool moved;                /* at all, in the last transfer */
    deadline_t settled;        /* when the last transfer is certain to have been heard */
} card;

/*
 * The usual one, and the only one that is written to without knowing what is there: the others that
 * a card can be set to, 0x240 to 0x280, are common places of ISA network cards.
 */
#define BASE 0x220u

static bool sb16_service(struct completion *c)
{
    struct voice *voice = container_of(c, struct voice, completion);
    bool ours = sb_dsp_take_interrupt(&card.dsp, voice->kind->words);

    if (ours && card.blocks > 0)
        card.blocks--;
    if (ours)
        c->done = card.blocks == 0;
    return ours;
}

static bool start_dsp(const struct voice *voice, uint32_t bytes, bool input)
{
    const struct kind *kind = voice->kind;
    uint32_t samples = kind->words ? bytes / 2 : bytes;
    const struct sb_dsp_transfer wish = {
        .words = kind->words,
        .autoinit = kind->autoinit,
        .input = input,
        .block = kind->autoinit ? samples / 2 : samples,
        .rate_hz = SOUND_RATE_HZ,
    };

    return sb_dsp_start(&card.dsp, &wish);
}

/*
 * In single cycle the DSP has asked for as many units as the 8237 had. QEMU's reloads the count
 * then, as if it were auto-initialised.
 */
static int check_position(struct voice *voice, uint32_t bytes, uint32_t left)
{
    if (left > bytes)
        return client_judge_residue(&voice->client, left, bytes);
    if (voice->kind->autoinit || left == 0 || left == bytes)
        return 0;
    return client_error(&voice->client, -EPROTO, "channel %u has %u of %u bytes left at the end",
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
    /* Before anybody counts: what the end of an earlier transfer may have left. */
    sb_dsp_acknowledge(&card.dsp);
    card.blocks = voice->kind->autoinit ? 2 : 1;
    completion_begin(c);
    if (start_dsp(voice, bytes, dir == DMA_FROM_DEVICE))
        err = completion_wait(c, limit_ms);
    else
        err = -EPROTO;
    if (!err && voice->kind->autoinit && !sb_dsp_stop(&card.dsp, voice->kind->words))
        err = -EPROTO;
    completion_end(c);
    left = isa_dma_stop(voice->channel);
    card.moved = !err || left != bytes;
    if (err) {
        client_error(client, err, "%s in %u ms, channel %u has %u of %u left, interrupts 0x%x",
                     err == -EPROTO      ? "DSP takes no command"
                     : c->interrupt_lost ? "no interrupt"
                                         : "not done",
                     limit_ms, voice->channel, left, bytes, sb_mixer_interrupts(&card.dsp));
        sb_dsp_reset(&card.dsp);
        return err;
    }
    return check_position(voice, bytes, left);
}

/* The DSP in the format of the transfer. */
static void settle(const struct voice *voice)
{
    wait_begins();
    while (card.words != voice->kind->words && !deadline_passed(card.settled))
        wait_yield();
    wait_ends();
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
    card.owner = voice;
    err = isa_dma_request(voice->channel, "sb16");
    if (err) {
        card.owner = NULL;
        yield_lock_release(&card.lock);
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
    card.owner = NULL;
    yield_lock_release(&card.lock);
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

/*
 * Only if somebody was taken away in the middle of a transfer of this voice: else the DSP is idle,
 * or another's.
 */
static void sb16_quiet(struct dma_client *client)
{
    struct voice *voice = container_of(client, struct voice, client);

    if (card.owner != voice)
        return;
    sb_dsp_reset(&card.dsp);
    isa_dma_stop(voice->channel);
    isa_dma_free(voice->channel);
    completion_end(&voice->completion);
    card.owner = NULL;
    card.lock.held = false;
}

/* Registers the client, if there is a channel for it. */
static bool add_voice(struct voice *voice, const struct kind *kind, bool audible)
{
    int channel = sb_mixer_channel(&card.dsp, kind->words);
    int line = sb_mixer_line(&card.dsp);
    uint32_t unit = kind->words ? 2 : 1;

    if (channel < 0)
        return false;
    voice->channel = (uint8_t)channel;
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
        .line = line < 0 ? COMPLETION_NO_LINE : (uint8_t)line,
        .by_interrupt = true,
    };
    voice->client = (struct dma_client){
        .name = kind->name,
        .dev = &voice->dev,
        .granule_bytes = kind->autoinit ? 2 * unit : unit,
        .max_bytes = MAX_SAMPLES * unit,
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

static int set_up(int version)
{
    bool audible = sound_is_audible("sb16"), records;
    unsigned found = 0;

    sb_mixer_set(&card.dsp, audible);
    for (unsigned i = 0; i < NR_KINDS; i++)
        found += add_voice(&card.voice[i], &kinds[i], audible);
    if (!card.voice[0].kind) {
        probe_report("sb16", -ENODEV, "port 0x%x: the mixer names no DMA channel", card.dsp.base);
        return -ENODEV;
    }
    records = can_record(&card.voice[0]);
    for (unsigned i = 0; i < NR_KINDS && !records; i++)
        card.voice[i].client.capture = NULL;
    probe_report("sb16", 0, "port 0x%x: DSP %u.%02u, line %u, channels %u and %u, %s%s",
                 card.dsp.base, (unsigned)version >> 8, (unsigned)version & UINT8_MAX,
                 card.voice[0].completion.line, card.voice[0].channel,
                 found == NR_KINDS ? card.voice[1].channel : 0, audible ? "audible" : "muted",
                 records ? "" : ", does not record");
    return 0;
}

static int sb16_probe(void)
{
    int version;

    if (!isa_dma_is_present()) {
        probe_report("sb16", -ENODEV, "not looked for without an 8237");
        return -ENODEV;
    }
    card.dsp.base = BASE;
    version = sb_dsp_find(&card.dsp);
    if (version < 0) {
        probe_report("sb16", version, "no DSP answers a reset at port 0x%x", BASE);
        return version;
    }
    if ((unsigned)version >> 8 < VERSION_MIN) {
        probe_report("sb16", -ENODEV, "port 0x%x: DSP %u.%02u is older than 4.00", card.dsp.base,
                     (unsigned)version >> 8, (unsigned)version & UINT8_MAX);
        return -ENODEV;
    }
    return set_up(version);
}

TABLE_ENTRY(isa_driver, struct isa_driver) = {.name = "sb16", .probe = sb16_probe};
