/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload/tests/stress_client.h"
#include "drivers/clock.h"
#include "lib/crc32c.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/inject.h"
#include "lib/string.h"
#include "paging/highmem.h"
#include "paging/page_alloc.h"
#include "paging/wait.h"
#include "payload/tests/client_transfer.h"
#include "payload/thread.h"

#define BUFFER_ORDER 4u
#define BUFFER_BYTES STRESS_REFERENCE_BYTES
#define WORK_BYTES (BUFFER_BYTES / 2) /* so that what was given and what came fit into a frame */
#define SLOW_COST_MS 10u              /* a transfer of such a device is short */
#define SLOW_BYTES KIB(16)
#define NO_ROOM_LIMIT_MS 4000u

/* A linear congruential generator (Numerical Recipes): contents need no more */
#define NOISE_FACTOR 1664525u
#define NOISE_STEP 1013904223u

/* The client whose buffers all use if a mutation says so. */
static struct stress_client *common;

/* Keeps what was said first. */
__printf(2, 3) static void say_wrong(struct stress_client *s, const char *fmt, ...)
{
    va_list args;

    if (s->wrong++ > 0)
        return;
    va_start(args, fmt);
    vformat(s->text, sizeof(s->text), fmt, args);
    va_end(args);
}

/* The reference, by the processor if it can, else by DMA to memory that every device reaches. */
static int read_reference(struct stress_client *s)
{
    struct dma_client *client = s->client;
    uint32_t step = MIN(client->max_bytes, s->reference_bytes);
    struct page *far = alloc_pages(GFP_DMA, BUFFER_ORDER);
    int err = far ? 0 : -ENOMEM;

    step -= step % client->granule_bytes;
    for (uint32_t at = 0; !err && at < s->reference_bytes; at += step) {
        uint32_t bytes = MIN(step, s->reference_bytes - at);

        bytes -= bytes % client->granule_bytes;
        if (client->read_pio) {
            err = client_read_pio(client, at, s->reference + at, bytes);
        } else {
            err = client_read(client, at, far, 0, bytes);
            memcpy_from_page(s->reference + at, far, 0, bytes);
        }
    }
    if (far)
        __free_pages(far, BUFFER_ORDER);
    return err;
}

/* What the device holds is what is written there now. */
static int fill_device(struct stress_client *s)
{
    struct dma_client *client = s->client;
    struct page *far = alloc_pages(GFP_DMA, BUFFER_ORDER);
    uint32_t step = MIN(client->max_bytes, s->reference_bytes);
    int err = far ? 0 : -ENOMEM;

    for (uint32_t i = 0; i < s->reference_bytes; i++)
        s->reference[i] = (uint8_t)(prng_u32(&s->prng) >> 24);
    for (uint32_t at = 0; !err && at < s->reference_bytes; at += step) {
        uint32_t bytes = MIN(step, s->reference_bytes - at);

        memcpy_to_page(far, 0, s->reference + at, bytes);
        err = client_write(client, at, far, 0, bytes);
    }
    if (far)
        __free_pages(far, BUFFER_ORDER);
    return err;
}

static int make_reference(struct stress_client *s)
{
    struct dma_client *client = s->client;

    s->reference_bytes = STRESS_REFERENCE_BYTES;
    if (!client->read)
        return 0;
    if (client->size_bytes < s->reference_bytes)
        s->reference_bytes = (uint32_t)client->size_bytes;
    return client->write ? fill_device(s) : read_reference(s);
}

bool stress_client_open(struct stress_client *s, struct dma_client *client, uint64_t seed)
{
    int err = -ENODEV;

    *s = (struct stress_client){.client = client};
    prng_seed(&s->prng, seed);
    if (!client->quarantined) {
        s->reference = __get_free_pages(GFP_KERNEL, BUFFER_ORDER);
        s->frame = __get_free_pages(GFP_KERNEL, BUFFER_ORDER);
        err = -ENOMEM;
        if (s->reference && s->frame && dma_arenas_open(s->arena, &s->prng))
            err = make_reference(s);
    }
    if (!common)
        common = s;
    if (!err)
        return true;
    format(s->text, sizeof(s->text), "error %d: %s", -err,
           err == -ENOMEM ? "no memory" : client->reason);
    stress_client_close(s);
    return false;
}

void stress_client_close(struct stress_client *s)
{
    dma_arenas_close(s->arena);
    if (s->reference)
        free_pages(s->reference, BUFFER_ORDER);
    if (s->frame)
        free_pages(s->frame, BUFFER_ORDER);
    s->reference = s->frame = NULL;
    if (common == s)
        common = NULL;
}

static struct dma_arena *draw_arena(struct stress_client *s)
{
    for (;;) {
        unsigned kind = prng_below(&s->prng, DMA_NR_ARENAS);

        if (s->arena[kind].page)
            return &(inject(stress_share_buffers, dma_stress) ? common : s)->arena[kind];
    }
}

/* In [begin, end) of an arena, with guards, and room for what a device may write around it. */
static uint32_t draw_offset(struct stress_client *s, uint32_t begin, uint32_t end, uint32_t bytes)
{
    const struct dma_client *client = s->client;
    uint32_t align = MAX(client->align_bytes, 1u);
    uint32_t first = begin + DMA_ARENA_GUARD + client->loop_head;
    uint32_t last = end - DMA_ARENA_GUARD - client->loop_tail - align - bytes;

    return ALIGN_UP(first + prng_below(&s->prng, last - first), align);
}

static uint32_t draw_bytes(struct stress_client *s, enum operation op)
{
    const struct dma_client *client = s->client;
    uint32_t granule = MAX(client->granule_bytes, 1u);
    uint32_t most = op == OP_READ || op == OP_WRITE ? s->reference_bytes : BUFFER_BYTES;

    if (op == OP_LOOP) {
        most = MIN(client->loop_max, BUFFER_BYTES);
        return client->loop_min + prng_below(&s->prng, most - client->loop_min + 1);
    }
    most = MIN(most, client->max_bytes);
    if (op == OP_WORK)
        most = MIN(most, WORK_BYTES);
    if (client->cost_ms >= SLOW_COST_MS)
        most = MIN(most, SLOW_BYTES);
    return (1 + prng_below(&s->prng, MAX(most / granule, 1u))) * granule;
}

/*
 * Draws the same numbers whatever came of the transfers before. What a loop sends lies in the lower
 * half of an arena, and what arrives in the upper half of one.
 */
static void make_plan(struct stress_client *s, struct client_transfer *p)
{
    uint32_t granule = MAX(s->client->granule_bytes, 1u);
    bool by_interrupt;

    do {
        p->op = (enum operation)prng_below(&s->prng, NR_OPERATIONS);
    } while (!client_can(s->client, p->op));
    p->bytes = draw_bytes(s, p->op);
    p->from = draw_arena(s);
    p->from_offset = draw_offset(s, 0, DMA_ARENA_BYTES / 2, p->bytes);
    p->arena = draw_arena(s);
    p->offset =
        draw_offset(s, p->op == OP_LOOP ? DMA_ARENA_BYTES / 2 : 0, DMA_ARENA_BYTES, p->bytes);
    p->dev_offset = 0;
    if (p->op == OP_READ || p->op == OP_WRITE)
        p->dev_offset =
            (uint64_t)prng_below(&s->prng, (s->reference_bytes - p->bytes) / granule + 1) * granule;
    s->noise = prng_u32(&s->prng);
    by_interrupt = prng_below(&s->prng, 2) == 0;
    if (s->client->completion)
        s->client->completion->by_interrupt = by_interrupt;
}

static void note_plan(struct stress_client *s, const struct client_transfer *p)
{
    const uint32_t told[] = {p->op,   p->offset, p->from_offset, p->bytes, (uint32_t)p->dev_offset,
                             s->noise};

    s->first_plans = crc32c_update(s->first_plans, told, sizeof(told));
}

static void randomise(uint32_t noise, uint8_t *to, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++) {
        noise = noise * NOISE_FACTOR + NOISE_STEP;
        to[i] = (uint8_t)(noise >> 24);
    }
}

/* What the buffer holds before the transfer: what is to go, or what is not to come. */
static void prepare(struct stress_client *s, const struct client_transfer *p)
{
    uint8_t *device = s->reference + (uint32_t)p->dev_offset;

    switch (p->op) {
    case OP_READ:
        memset_page(p->arena->page, p->offset, (uint8_t)~device[0], p->bytes);
        break;
    case OP_WRITE:
        randomise(s->noise, device, p->bytes);
        memcpy_to_page(p->arena->page, p->offset, device, p->bytes);
        break;
    case OP_LOOP:
        randomise(s->noise, s->frame, p->bytes);
        memcpy_to_page(p->from->page, p->from_offset, s->frame, p->bytes);
        memset_page(p->arena->page, p->offset, (uint8_t)~s->frame[0], p->bytes);
        break;
    case OP_SEND:
        /* Sound is silence: what others play has to be told from it. */
        if (s->client->stream)
            memset(s->frame, 0, p->bytes);
        else
            randomise(s->noise, s->frame, p->bytes);
        memcpy_to_page(p->arena->page, p->offset, s->frame, p->bytes);
        break;
    case OP_WORK:
        s->client->work_fill(s->frame, p->bytes, s->noise);
        memcpy_to_page(p->arena->page, p->offset, s->frame, p->bytes);
        break;
    default:
        memset_page(p->arena->page, p->offset, (uint8_t)s->noise, p->bytes);
        break;
    }
}

/* What became of the transfer, for the figures. */
static void count(struct stress_client *s, const struct client_transfer *p)
{
    static const enum dma_data_direction directions[] = {
        [OP_READ] = DMA_FROM_DEVICE, [OP_WRITE] = DMA_TO_DEVICE,     [OP_LOOP] = DMA_FROM_DEVICE,
        [OP_SEND] = DMA_TO_DEVICE,   [OP_CAPTURE] = DMA_FROM_DEVICE, [OP_WORK] = DMA_BIDIRECTIONAL};
    uint32_t head = p->op == OP_LOOP ? s->client->loop_head : 0;

    s->bytes += p->bytes;
    stress_copies_expect(&s->copies, s->client, p->arena, p->offset - head, head + p->bytes,
                         directions[p->op]);
    if (p->op != OP_LOOP)
        return;
    s->bytes += p->bytes;
    stress_copies_expect(&s->copies, s->client, p->from, p->from_offset, p->bytes, DMA_TO_DEVICE);
}

/* A driver that gets no slots fails; others will give theirs back. */
static int perform_with_room(struct stress_client *s, const struct client_transfer *p)
{
    deadline_t deadline = deadline_in_ms(NO_ROOM_LIMIT_MS);
    uint64_t tsc, waited;
    int err;

    for (;;) {
        tsc = thread_tsc();
        waited = thread_waited_tsc();
        err = client_transfer(s->client, p);
        waited = thread_waited_tsc() - waited;
        tsc = thread_tsc() - tsc;
        if (err != -ENOMEM || deadline_passed(deadline))
            break;
        s->no_room++;
        s->copies.again = true;
        wait_yield();
    }
    s->waited_tsc += waited;
    s->work_tsc += tsc - waited;
    return err;
}

static void check_contents(struct stress_client *s, const struct client_transfer *p)
{
    const uint8_t *wanted =
        p->op == OP_READ || p->op == OP_WRITE ? s->reference + (uint32_t)p->dev_offset : s->frame;
    int32_t at = dma_arena_find_difference(p->arena, p->offset, wanted, p->bytes);

    if (at >= 0)
        say_wrong(s, "%s %u: 0x%llx+%u: byte %u is 0x%02x, not 0x%02x", operation_name(p->op),
                  s->transfers, addr_number(p->arena->phys + p->offset), p->bytes,
                  (uint32_t)at - p->offset, dma_arena_byte(p->arena, (uint32_t)at),
                  wanted[(uint32_t)at - p->offset]);
}

static void check_work(struct stress_client *s, const struct client_transfer *p)
{
    uint8_t *found = s->frame + WORK_BYTES;
    int32_t at;

    memcpy_from_page(found, p->arena->page, p->offset, p->bytes);
    at = s->client->work_check(s->frame, found, p->bytes);
    if (at >= 0)
        say_wrong(s, "work %u: 0x%llx+%u: byte %d is 0x%02x, was given as 0x%02x", s->transfers,
                  addr_number(p->arena->phys + p->offset), p->bytes, at, found[at], s->frame[at]);
}

/* The pattern on both sides must be whole; then it covers the buffer, too. */
static void check_around(struct stress_client *s, const struct client_transfer *p,
                         const struct dma_arena *arena, uint32_t offset)
{
    uint32_t head = p->op == OP_LOOP ? s->client->loop_head : 0;
    uint32_t tail = p->op == OP_LOOP ? s->client->loop_tail : 0;
    int32_t damage = dma_arena_find_damage_around(arena, offset - head, head + p->bytes + tail);

    if (damage >= 0)
        say_wrong(s, "%s %u: 0x%llx+%u: 0x%llx, outside of it, was overwritten",
                  operation_name(p->op), s->transfers, addr_number(arena->phys + offset), p->bytes,
                  addr_number(arena->phys + (uint32_t)damage));
    dma_arena_paint(arena, offset - head, head + p->bytes + tail);
}

bool stress_client_turn(struct stress_client *s)
{
    struct client_transfer plan, *p = &plan;
    const struct completion *c = s->client->completion;
    uint32_t lost = c ? c->lost : 0;
    uint64_t ns;
    int err;

    make_plan(s, p);
    if (s->transfers < STRESS_PLANS_TOLD)
        note_plan(s, p);
    prepare(s, p);
    ns = clock_ns();
    err = perform_with_room(s, p);
    s->ns += clock_ns() - ns;
    s->copies.again |= err || (c && c->lost != lost);
    if (err) {
        say_wrong(s, "%s %u of %u bytes, buffer 0x%llx: error %d: %s", operation_name(p->op),
                  s->transfers, p->bytes, addr_number(p->arena->phys + p->offset), -err,
                  s->client->reason);
    } else {
        count(s, p);
        if (p->op == OP_WORK)
            check_work(s, p);
        else if (p->op != OP_CAPTURE)
            check_contents(s, p);
    }
    if (p->op == OP_LOOP)
        check_around(s, p, p->from, p->from_offset);
    check_around(s, p, p->arena, p->offset);
    s->transfers++;
    return !err;
}

void stress_client_check_arenas(struct stress_client *s)
{
    for (unsigned i = 0; i < DMA_NR_ARENAS; i++) {
        const struct dma_arena *arena = &s->arena[i];
        int32_t damage = arena->page ? dma_arena_find_damage(arena, 0, DMA_ARENA_BYTES) : -1;

        if (damage >= 0)
            say_wrong(s, "0x%llx, in no buffer, was overwritten",
                      addr_number(arena->phys + (uint32_t)damage));
    }
}
