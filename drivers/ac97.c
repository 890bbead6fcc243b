/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Intel's AC'97 controllers (82801AA "ICH" data sheet, "AC'97 Audio Controller Registers"; AC'97
 * 2.3 for the codec behind it).
 *
 * Playback is the PCM out engine, recording the PCM in engine, both 16 bits and stereo at the
 * codec's fixed 48 kHz. An engine works through a ring of 32 descriptors (address and number of
 * samples) and halts at the one named last, so that each transfer is exact. The ring starts again
 * at its first entry after a reset of the engine.
 */
#include "drivers/clock.h"
#include "drivers/sound_card.h"
#include "lib/errno.h"
#include "lib/inject.h"
#include "lib/x86/cpu.h"
#include "lib/x86/io.h"

#define INTEL_VENDOR 0x8086u
#define CLASS_AUDIO 0x040100u
#define CLASS_AUDIO_MASK 0xffff00u

/* The codec's mixer, from BAR 0 (AC'97 2.3, 5.7) */
#define MIXER_BAR 0u
#define MIXER_MASTER 0x02u
#define MIXER_HEADPHONE 0x04u
#define MIXER_MONO 0x06u
#define MIXER_PCM_OUT 0x18u
#define MIXER_RECORD_GAIN 0x1cu
#define MIXER_MUTE 0x8000u
#define MIXER_LOUDEST 0x0000u

/* Bus master registers, from BAR 1 */
#define MASTER_BAR 1u
#define WINDOW_BYTES 0x40u /* of either that are used */
#define GLOBAL_CONTROL 0x2cu
#define CONTROL_RUNNING BIT(1) /* 0 is cold reset */
#define GLOBAL_STATUS 0x30u
#define STATUS_PRIMARY_READY BIT(8)
#define CODEC_ACCESS 0x34u
#define CODEC_BUSY BIT(0) /* with an access; reading a 0 makes it 1 until the next is done */

/* Those of an engine, from the engine's base */
#define ENGINE_IN 0x00u
#define ENGINE_OUT 0x10u
#define ENGINE_LIST 0x00u
#define ENGINE_CURRENT 0x04u
#define ENGINE_LAST 0x05u
#define ENGINE_STATUS 0x06u
#define STATUS_HALTED BIT(0)
#define STATUS_AT_LAST BIT(1)
#define STATUS_LAST_DONE BIT(2) /* write 1 to clear this and the next two */
#define STATUS_COMPLETE BIT(3)
#define STATUS_FIFO_ERROR BIT(4)
#define STATUS_EVENTS (STATUS_LAST_DONE | STATUS_COMPLETE | STATUS_FIFO_ERROR)
#define ENGINE_SAMPLES_LEFT 0x08u /* of the current descriptor */
#define ENGINE_CONTROL 0x0bu
#define CONTROL_RUN BIT(0)
#define CONTROL_RESET BIT(1)
#define CONTROL_LAST_INTERRUPT BIT(2)

struct descriptor {
    uint32_t address; /* even */
    uint32_t samples; /* of one channel each, at most 65534; flags in the upper half */
};
#define RING_ENTRIES 32u
#define RING_BYTES (RING_ENTRIES * (uint32_t)sizeof(struct descriptor))
#define SAMPLE_BYTES 2u

/* Pieces small enough that an ordinary transfer has several. */
#define PIECE_BYTES KIB(1)
#define FRAME_BYTES 4u /* a sample of both channels; where a buffer may begin, QEMU says */
#define TRANSFER_BYTES_MAX KIB(128)

#define RESET_LIMIT_MS 10u
#define HALT_LIMIT_MS 10u
#define CODEC_LIMIT_US 1000u /* an access takes two frames of 21 us */
#define STEP_US 10u
#define READY_LIMIT_MS 1000u

struct ac97 {
    struct sound_card card;
    uint16_t mixer, master;
    uint16_t engine; /* port of the one in use */
    struct descriptor *ring;
    dma_addr_t ring_addr;
    uint8_t last; /* entry of the ring */
};

static struct ac97 cards[SOUND_CARDS];

static uint16_t port(const struct ac97 *card, uint32_t offset)
{
    return (uint16_t)(card->engine + offset);
}

/* Stops both engines and takes back what they requested. Returns false if one does not. */
static bool halt(const struct ac97 *card)
{
    static const uint8_t engines[] = {ENGINE_IN, ENGINE_OUT};
    bool ok = true;

    for (unsigned i = 0; i < ARRAY_SIZE(engines); i++) {
        uint16_t control = (uint16_t)(card->master + engines[i] + ENGINE_CONTROL);
        uint16_t status = (uint16_t)(card->master + engines[i] + ENGINE_STATUS);
        deadline_t deadline = deadline_in_ms(HALT_LIMIT_MS);

        /* What it has begun to fetch or write comes to its end; a reset would not wait. */
        outb(control, 0);
        while (!(inw(status) & STATUS_HALTED) && !deadline_passed(deadline))
            cpu_relax();
        ok &= (inw(status) & STATUS_HALTED) != 0;
        deadline = deadline_in_ms(RESET_LIMIT_MS);
        outb(control, CONTROL_RESET);
        while ((inb(control) & CONTROL_RESET) && !deadline_passed(deadline))
            cpu_relax();
        ok &= !(inb(control) & CONTROL_RESET);
        outw(status, STATUS_EVENTS);
    }
    return ok;
}

static bool ac97_service(struct completion *c)
{
    struct ac97 *card = container_of(c, struct ac97, card.completion);
    uint16_t status = inw(port(card, ENGINE_STATUS));

    if (status & STATUS_EVENTS)
        outw(port(card, ENGINE_STATUS), (uint16_t)(status & STATUS_EVENTS));
    if (status & STATUS_HALTED)
        c->done = true;
    return (status & STATUS_EVENTS) != 0;
}

/* Describes the buffer in pieces: as many as the ring has, at most. */
static void make_ring(struct ac97 *card, dma_addr_t addr, uint32_t bytes)
{
    uint32_t piece =
        MAX(ALIGN_UP((bytes + RING_ENTRIES - 1) / RING_ENTRIES, FRAME_BYTES), PIECE_BYTES);
    unsigned n = 0;

    for (uint32_t at = 0; at < bytes; at += piece) {
        uint32_t part = MIN(piece, bytes - at);
        uint32_t from = n > 0 && inject(ac97_repeat_entry, sound) ? at - piece : at;

        card->ring[n].address = (uint32_t)addr_number(addr + from);
        card->ring[n].samples = part / SAMPLE_BYTES;
        n++;
    }
    card->last = (uint8_t)(n - 1);
}

/* Halted at the end of the last descriptor, with nothing of it left. */
static int check_position(struct ac97 *card)
{
    uint8_t current = inb(port(card, ENGINE_CURRENT));
    uint16_t left = inw(port(card, ENGINE_SAMPLES_LEFT));
    uint16_t status = inw(port(card, ENGINE_STATUS));

    if (current == card->last && left == 0 && (status & STATUS_AT_LAST))
        return 0;
    return client_error(&card->card.client, -EPROTO,
                        "halted at entry %u of %u, %u samples left, status 0x%x", current,
                        card->last, left, status);
}

static int ac97_run(struct sound_card *sound_card, bool records, dma_addr_t addr, uint32_t bytes,
                    uint32_t limit_ms)
{
    struct ac97 *card = container_of(sound_card, struct ac97, card);
    struct completion *c = &sound_card->completion;
    struct dma_client *client = &sound_card->client;
    uint32_t engine = records && !inject(ac97_wrong_engine, dma_sound) ? ENGINE_IN : ENGINE_OUT;
    int err;

    card->engine = (uint16_t)(card->master + engine);
    if (addr + bytes - 1 > client->dev->dma_mask)
        return client_error(client, -ERANGE, "address 0x%llx+%u has more than 32 bits",
                            addr_number(addr), bytes);
    if (!halt(card))
        return client_error(client, -EPROTO, "an engine does not stop");
    make_ring(card, addr, bytes);
    outl(port(card, ENGINE_LIST), (uint32_t)addr_number(card->ring_addr));
    outb(port(card, ENGINE_LAST), card->last);
    completion_begin(c);
    outb(port(card, ENGINE_CONTROL), CONTROL_RUN | (c->requested ? CONTROL_LAST_INTERRUPT : 0));
    err = completion_wait(c, limit_ms);
    sound_card->moved =
        inb(port(card, ENGINE_CURRENT)) > 0 ||
        inw(port(card, ENGINE_SAMPLES_LEFT)) != (card->ring[0].samples & UINT16_MAX);
    if (err)
        client_error(client, err, "%s after %u ms, status 0x%x entry %u of %u left %u",
                     c->interrupt_lost ? "no interrupt" : "not done", limit_ms,
                     inw(port(card, ENGINE_STATUS)), inb(port(card, ENGINE_CURRENT)), card->last,
                     inw(port(card, ENGINE_SAMPLES_LEFT)));
    else
        err = check_position(card);
    halt(card);
    completion_end(c);
    return err;
}

static void ac97_stop(struct sound_card *card)
{
    halt(container_of(card, struct ac97, card));
}

/* One access at a time goes over the link: a write while it is busy may be lost. */
static void await_codec(const struct ac97 *card)
{
    for (uint32_t us = 0; us < CODEC_LIMIT_US; us += STEP_US) {
        if (!(inb((uint16_t)(card->master + CODEC_ACCESS)) & CODEC_BUSY))
            return;
        delay_us(STEP_US);
    }
}

static void codec_write(const struct ac97 *card, uint32_t reg, uint16_t value)
{
    await_codec(card);
    outw((uint16_t)(card->mixer + reg), value);
}

static uint16_t codec_read(const struct ac97 *card, uint32_t reg)
{
    await_codec(card);
    return inw((uint16_t)(card->mixer + reg));
}

/* The source before what follows it. True if the codec has kept it. */
static bool set_volume(const struct ac97 *card, bool audible)
{
    uint16_t volume = audible || inject(ac97_not_muted, sound) ? MIXER_LOUDEST : MIXER_MUTE;
    bool kept = true;

    codec_write(card, MIXER_PCM_OUT, volume);
    codec_write(card, MIXER_MASTER, volume);
    if (!audible) {
        codec_write(card, MIXER_HEADPHONE, MIXER_MUTE);
        codec_write(card, MIXER_MONO, MIXER_MUTE);
    }
    codec_write(card, MIXER_RECORD_GAIN, MIXER_MUTE);
    kept &= (codec_read(card, MIXER_PCM_OUT) & MIXER_MUTE) == (volume & MIXER_MUTE);
    kept &= (codec_read(card, MIXER_MASTER) & MIXER_MUTE) == (volume & MIXER_MUTE);
    return kept;
}

/* Out of reset; a codec that is there says so, and keeps what is written to it. */
static int start_card(struct ac97 *card, bool audible)
{
    struct dma_client *client = &card->card.client;
    deadline_t deadline = deadline_in_ms(READY_LIMIT_MS);

    outl((uint16_t)(card->master + GLOBAL_CONTROL), CONTROL_RUNNING);
    while (!(inl((uint16_t)(card->master + GLOBAL_STATUS)) & STATUS_PRIMARY_READY)) {
        if (deadline_passed(deadline))
            return client_error(client, -EIO, "the codec is not ready");
    }
    if (!halt(card))
        return client_error(client, -EIO, "an engine does not stop");
    if (!set_volume(card, audible))
        return client_error(client, -EIO, "the mixer does not keep its volume");
    return 0;
}

static int ac97_open(struct sound_card *sound_card, bool audible)
{
    struct ac97 *card = container_of(sound_card, struct ac97, card);
    struct pci_device *pdev = sound_card->pdev;
    uint16_t command;
    int err;

    card->mixer = pci_bar_port(pdev, MIXER_BAR, WINDOW_BYTES);
    card->master = pci_bar_port(pdev, MASTER_BAR, WINDOW_BYTES);
    if (!card->mixer || !card->master)
        return client_error(&sound_card->client, -ENODEV, "BAR 0 or 1 %s",
                            pci_bar_problem(-ENODEV));
    card->ring = dma_alloc_coherent(&pdev->dma, RING_BYTES, &card->ring_addr);
    if (!card->ring)
        return client_error(&sound_card->client, -ENOMEM, "no memory for its descriptors");
    command = pci_enable(pdev, PCI_COMMAND_IO);
    err = start_card(card, audible);
    pci_restore_command(pdev, command);
    if (err)
        dma_free_coherent(&pdev->dma, RING_BYTES, card->ring, card->ring_addr);
    return err;
}

static const struct sound_card_kind ac97_kind = {
    .cards = {&cards[0].card, &cards[1].card},
    .granule_bytes = FRAME_BYTES,
    .max_bytes = TRANSFER_BYTES_MAX,
    .stream = SOUND_STREAM_S16_STEREO,
    .open = ac97_open,
    .service = ac97_service,
    .run = ac97_run,
    .stop = ac97_stop,
};

static const struct pci_match ac97_ids[] = {{INTEL_VENDOR, PCI_ANY, CLASS_AUDIO, CLASS_AUDIO_MASK}};

TABLE_ENTRY(pci_driver, struct pci_driver) = {
    .name = "ac97",
    .match = ac97_ids,
    .nr_match = ARRAY_SIZE(ac97_ids),
    .probe = sound_card_probe,
    .kind = &ac97_kind,
};
