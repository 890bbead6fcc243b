/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload/tests/lowmem_held.h"
#include "lib/inject.h"

#define WHO_SHIFT 24u
#define DAMAGE 0x00010000u /* one bit */

/* Where the words of a stamp stand in a page. */
static const uint16_t stamp_at[] = {0, 1, 2, PAGE_SIZE / sizeof(uint32_t) - 1};
#define STAMP_WORDS ARRAY_SIZE(stamp_at)

struct stamp {
    uint32_t word[STAMP_WORDS]; /* owner and part of the block; serial; check, and inverted */
};

static struct stamp stamp_of(const struct held *held, uint32_t serial, unsigned part)
{
    uint32_t who = held->owner.id << WHO_SHIFT | part;
    uint32_t check = hash32(serial ^ hash32(who));

    return (struct stamp){{who, serial, check, ~check}};
}

static volatile uint32_t *words_of(const struct page *page)
{
    return lowmem_page_address(page);
}

static void stamp_page(const struct held *held, const struct page *page, uint32_t serial,
                       unsigned part)
{
    struct stamp stamp = stamp_of(held, serial, part);
    volatile uint32_t *words = words_of(page);

    for (unsigned i = 0; i < STAMP_WORDS; i++)
        words[stamp_at[i]] = stamp.word[i];
}

/* The first word that is not the stamp's; STAMP_WORDS if all are. */
static unsigned first_damaged(const struct held *held, const struct page *page, uint32_t serial,
                              unsigned part)
{
    struct stamp stamp = stamp_of(held, serial, part);
    const volatile uint32_t *words = words_of(page);
    unsigned i = 0;

    if (inject(held_ignore_stamp, lowmem_stacks))
        return STAMP_WORDS;
    while (i < STAMP_WORDS && words[stamp_at[i]] == stamp.word[i])
        i++;
    return i;
}

static bool check_page(const struct held *held, const struct page *page, uint32_t serial,
                       unsigned part)
{
    unsigned bad = first_damaged(held, page, serial, part);

    if (bad == STAMP_WORDS)
        return true;
    test_fail(held->lab->t, "%s: the stamp at physical 0x%llx has 0x%08x for word %u, not 0x%08x",
              held->owner.name, addr_number(page_to_phys(page)), words_of(page)[stamp_at[bad]], bad,
              stamp_of(held, serial, part).word[bad]);
    return false;
}

void held_stamp(const struct held *held, uint32_t index)
{
    const struct held_block *block = &held->block[index];

    for (unsigned part = 0; part < 1u << held->order; part++)
        stamp_page(held, block->page + part, block->serial, part);
}

bool held_check(const struct held *held, uint32_t index)
{
    const struct held_block *block = &held->block[index];

    if (!TEST_CHECK(held->lab->t,
                    block->page->owner == held->owner.id && block->page->index == index,
                    "%s: the descriptor of frame 0x%x says owner %u, number %u; %u and %u wanted",
                    held->owner.name, page_to_pfn(block->page), block->page->owner,
                    block->page->index, held->owner.id, index))
        return false;
    for (unsigned part = 0; part < 1u << held->order; part++) {
        if (!check_page(held, block->page + part, block->serial, part))
            return false;
    }
    return true;
}

static struct held *held_of(struct page_owner *owner)
{
    return container_of(owner, struct held, owner);
}

/* What compaction says of a page of ours, as it must be. */
static bool is_known(const struct held *held, uint32_t index, const struct page *page)
{
    return TEST_CHECK(held->lab->t, index < held->count && held->block[index].page == page,
                      "%s: frame 0x%x is to be moved as number %u of %u, which is not there",
                      held->owner.name, page_to_pfn(page), index, held->count);
}

/* Is the page under I/O? */
static bool is_busy(const struct held *held, uint32_t index)
{
    return held->block[index].serial % HELD_BUSY == 0;
}

static bool isolate(struct page_owner *owner, uint32_t index, struct page *page)
{
    const struct held *held = held_of(owner);

    return is_known(held, index, page) && !is_busy(held, index);
}

static void moved(struct page_owner *owner, uint32_t index, struct page *from, struct page *to)
{
    struct held *held = held_of(owner);

    if (!is_known(held, index, from))
        return;
    TEST_CHECK(held->lab->t, !is_busy(held, index), "%s: frame 0x%x was moved while under I/O",
               owner->name, page_to_pfn(from));
    if (!inject(held_keep_moved, lowmem_stacks))
        held->block[index].page = to;
    check_page(held, to, held->block[index].serial, 0);
}

static uint32_t count_objects(struct shrinker *shrinker, enum zone_type zone)
{
    const struct held *held = container_of(shrinker, struct held, shrinker);

    return zone >= ZONE_NORMAL ? held->count : 0;
}

static uint32_t scan_objects(struct shrinker *shrinker, enum zone_type zone, uint32_t nr_to_scan)
{
    struct held *held = container_of(shrinker, struct held, shrinker);
    uint32_t freed = 0;

    (void)zone;
    for (; freed < nr_to_scan && held->count; freed++)
        held_give_any(held);
    return freed;
}

const char *held_open(struct held *held, struct lab *lab, const char *name, char letter, gfp_t gfp,
                      unsigned order, uint32_t max)
{
    bool movable = gfp & __GFP_MOVABLE;

    *held = (struct held){
        .lab = lab,
        .owner = {.name = name,
                  .letter = letter,
                  .isolate = movable ? isolate : NULL,
                  .moved = movable ? moved : NULL},
        .shrinker = {.name = name, .count_objects = count_objects, .scan_objects = scan_objects},
        .order = order,
        .gfp = gfp,
        .movable = movable,
        .max = MIN(max, PAGE_INDEX_MAX),
        .serial = 1,
    };
    held->block = lab_table(lab, (uint64_t)held->max * sizeof(*held->block));
    if (!held->block)
        return "there is no memory for a table";
    if (page_owner_register(&held->owner))
        return "all owner ids are taken";
    held->registered = true;
    if (movable)
        register_shrinker(&held->shrinker);
    return NULL;
}

static void add(struct held *held, struct page *page)
{
    held->block[held->count] = (struct held_block){.page = page, .serial = held->serial++};
    page_set_owner(page, held->owner.id, held->count++);
    held_stamp(held, held->count - 1);
}

struct page *held_take(struct held *held)
{
    struct page *page;

    if (held->count == held->max)
        return NULL;
    page = lab_alloc(held->lab, held->gfp, held->order, held->owner.id, held->count);
    /* Reclaim may have taken others meanwhile, so its number is only known now. */
    if (page)
        add(held, page);
    return page;
}

static struct page *remove(struct held *held, uint32_t index)
{
    struct page *page = held->block[index].page;

    held_check(held, index);
    held->block[index] = held->block[--held->count];
    if (index < held->count)
        page_set_owner(held->block[index].page, held->owner.id, index);
    return page;
}

void held_give(struct held *held, uint32_t index)
{
    struct page *page = remove(held, index);

    if (held->order && inject(held_free_halves, lowmem_stacks)) {
        lab_free(held->lab, page, held->order - 1);
        page += 1u << (held->order - 1);
        lab_free(held->lab, page, held->order - 1);
        return;
    }
    lab_free(held->lab, page, held->order);
}

void held_give_any(struct held *held)
{
    if (held->count)
        held_give(held, prng_below(held->lab->prng, held->count));
}

void held_pass(struct held *from, uint32_t index, struct held *to)
{
    add(to, remove(from, index));
}

/* After a fault the count may be anything, and no block of a table that is not ours may be given.
 */
static bool is_count_sane(const struct held *held)
{
    if (held->count <= held->max)
        return true;
    test_fail(held->lab->t, "%s: %u blocks in a table for %u: they stay where they are",
              held->owner.name, held->count, held->max);
    return false;
}

void held_close(struct held *held)
{
    if (held->block && is_count_sane(held))
        while (held->count)
            held_give(held, held->count - 1);
    if (!held->registered)
        return;
    if (held->movable)
        unregister_shrinker(&held->shrinker);
    page_owner_unregister(&held->owner);
    held->registered = false;
}

void held_prove_stamps(struct held *held)
{
    struct page *page = held_take(held);
    uint32_t serial = held->count ? held->block[held->count - 1].serial : 0;

    if (!page)
        return;
    for (unsigned i = 0; i < STAMP_WORDS; i++) {
        volatile uint32_t *word = &words_of(page)[stamp_at[i]];

        *word ^= DAMAGE;
        TEST_CHECK(held->lab->t, first_damaged(held, page, serial, 0) == i,
                   "%s: word %u of a stamp was changed, and nobody saw it", held->owner.name, i);
        *word ^= DAMAGE;
    }
    held_give(held, held->count - 1);
}
