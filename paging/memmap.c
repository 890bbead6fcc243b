/* SPDX-License-Identifier: BSD-2-Clause */
#include "paging/memmap.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "paging/pte.h"

static void say(memmap_note_t note, const char *fmt, ...) __printf(2, 3);

static void say(memmap_note_t note, const char *fmt, ...)
{
    char text[112];
    va_list args;

    if (!note)
        return;
    va_start(args, fmt);
    vformat(text, sizeof(text), fmt, args);
    va_end(args);
    note(text);
}

static const char *type_name(enum mem_type type)
{
    static const char *const names[MEM_TYPES] = {
        [MEM_NONE] = "hole",         [MEM_USABLE] = "usable", [MEM_RESERVED] = "reserved",
        [MEM_ACPI_RECLAIM] = "ACPI", [MEM_ACPI_NVS] = "NVS",  [MEM_BAD] = "bad",
        [MEM_TAKEN] = "taken",
    };

    return type < MEM_TYPES ? names[type] : "unknown";
}

/* Insertion sort: maps are short, and most come sorted. */
static void sort_ranges(struct memmap *map)
{
    for (unsigned i = 1; i < map->count; i++) {
        struct mem_range moved = map->range[i];
        unsigned j = i;

        for (; j > 0 && map->range[j - 1].start > moved.start; j--)
            map->range[j] = map->range[j - 1];
        map->range[j] = moved;
    }
}

/* Appends to `out` what continues the last range, or a new one; false if there is no room. */
static bool append_merged(struct memmap *out, phys_addr_t start, phys_addr_t end,
                          enum mem_type type)
{
    struct mem_range *last = out->count ? &out->range[out->count - 1] : NULL;

    if (start >= end || type == MEM_NONE)
        return true;
    if (last && last->end == start && last->type == type) {
        last->end = end;
        return true;
    }
    if (out->count == MEMMAP_MAX) {
        out->dropped++;
        return false;
    }
    out->range[out->count++] = (struct mem_range){start, end, type};
    return true;
}

/*
 * Sweeps a sorted map from bottom to top. Between two neighbouring borders the set of ranges that
 * cover the bytes does not change, and the greatest of their types is the answer.
 */
static void resolve_overlaps(const struct memmap *in, struct memmap *out, memmap_note_t note)
{
    phys_addr_t at = in->count ? in->range[0].start : 0;
    unsigned first = 0;

    out->count = 0;
    while (first < in->count) {
        phys_addr_t next = PHYS_ADDR_MAX;
        enum mem_type type = MEM_NONE;
        unsigned i;

        while (first < in->count && in->range[first].end <= at)
            first++;
        for (i = first; i < in->count && in->range[i].start <= at; i++) {
            if (in->range[i].end <= at)
                continue;
            type = MAX(type, in->range[i].type);
            next = MIN(next, in->range[i].end);
        }
        if (first == in->count)
            break;
        if (i < in->count)
            next = MIN(next, in->range[i].start);
        if (!append_merged(out, at, next, type))
            say(note, "memory map: no room for %s 0x%llx-0x%llx, left out", type_name(type),
                addr_number(at), addr_number(next) - 1);
        at = next;
    }
}

void memmap_sanitise(struct memmap *map, memmap_note_t note)
{
    static struct memmap work;

    sort_ranges(map);
    for (unsigned i = 1; i < map->count; i++) {
        const struct mem_range *below = &map->range[i - 1], *range = &map->range[i];

        if (range->start < below->end)
            say(note, "memory map: %s 0x%llx-0x%llx overlaps %s 0x%llx-0x%llx, the stricter wins",
                type_name(range->type), addr_number(range->start), addr_number(range->end) - 1,
                type_name(below->type), addr_number(below->start), addr_number(below->end) - 1);
    }
    work.dropped = map->dropped;
    resolve_overlaps(map, &work, note);
    *map = work;
}

/*
 * There is no room to say that [start, end) is not usable: cuts it off every usable range, with the
 * smaller part of what it splits.
 */
static void cut_usable(struct memmap *map, phys_addr_t start, phys_addr_t end)
{
    for (unsigned i = 0; i < map->count; i++) {
        struct mem_range *range = &map->range[i];
        uint64_t below, above;

        if (range->type != MEM_USABLE || range->start >= end || range->end <= start)
            continue;
        below = start > range->start ? start - range->start : 0;
        above = range->end > end ? range->end - end : 0;
        if (below >= above)
            range->end = range->start + below;
        else
            range->start = range->end - above;
    }
}

void memmap_add(struct memmap *map, phys_addr_t start, uint64_t size, unsigned type,
                memmap_note_t note)
{
    phys_addr_t end = start + size;

    if (type == MEM_NONE || type > MEM_BAD)
        type = MEM_RESERVED;
    if (size == 0) {
        say(note, "memory map: empty range at 0x%llx ignored", addr_number(start));
        return;
    }
    if (end < start) {
        say(note, "memory map: range at 0x%llx, size 0x%llx, wraps: cut at 2^64",
            addr_number(start), (unsigned long long)size);
        end = PHYS_ADDR_MAX;
    }
    if (map->count == MEMMAP_MAX)
        memmap_sanitise(map, NULL);
    /* Once something was dropped, nobody knows whether this RAM is what it was about. */
    if (map->count == MEMMAP_MAX || (map->dropped && type == MEM_USABLE)) {
        say(note, "memory map: more than %u ranges, %s at 0x%llx left out", MEMMAP_MAX,
            type_name((enum mem_type)type), addr_number(start));
        map->dropped++;
        if (type != MEM_USABLE)
            cut_usable(map, start, end);
        return;
    }
    map->range[map->count++] = (struct mem_range){start, end, (enum mem_type)type};
}

void memmap_clip(struct memmap *map, phys_addr_t limit, const char *why, memmap_note_t note)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < map->count; i++) {
        struct mem_range range = map->range[i];

        if (range.type == MEM_USABLE && range.end > limit) {
            phys_addr_t cut = MAX(range.start, limit);

            say(note, "memory map: RAM 0x%llx-0x%llx left out: %s", addr_number(cut),
                addr_number(range.end) - 1, why);
            range.end = cut;
        }
        if (range.start < range.end)
            map->range[kept++] = range;
    }
    map->count = kept;
}

/* Makes room for one range at `index`. */
static bool insert_at(struct memmap *map, unsigned index, struct mem_range range)
{
    if (map->count == MEMMAP_MAX)
        return false;
    for (unsigned i = map->count; i > index; i--)
        map->range[i] = map->range[i - 1];
    map->range[index] = range;
    map->count++;
    return true;
}

static void remove_at(struct memmap *map, unsigned index)
{
    for (unsigned i = index + 1; i < map->count; i++)
        map->range[i - 1] = map->range[i];
    map->count--;
}

void memmap_make_room(struct memmap *map, unsigned entries, memmap_note_t note)
{
    while (map->count + entries > MEMMAP_MAX) {
        unsigned smallest = map->count;

        for (unsigned i = 0; i < map->count; i++) {
            const struct mem_range *range = &map->range[i];

            if (range->type == MEM_USABLE &&
                (smallest == map->count ||
                 range->end - range->start < map->range[smallest].end - map->range[smallest].start))
                smallest = i;
        }
        if (smallest == map->count)
            return;
        say(note, "memory map: %u ranges, RAM 0x%llx-0x%llx left out to make room", map->count,
            addr_number(map->range[smallest].start), addr_number(map->range[smallest].end) - 1);
        remove_at(map, smallest);
    }
}

int memmap_mark(struct memmap *map, phys_addr_t start, phys_addr_t end, enum mem_type type)
{
    unsigned i = 0;

    /* At the worst one range becomes three. */
    if (map->count + 2 > MEMMAP_MAX)
        return -ENOSPC;
    while (i < map->count) {
        struct mem_range old = map->range[i];

        if (old.end <= start) {
            i++;
            continue;
        }
        if (old.start >= end)
            break;
        remove_at(map, i);
        if (old.start < start)
            insert_at(map, i++, (struct mem_range){old.start, start, old.type});
        if (old.end > end) {
            insert_at(map, i, (struct mem_range){end, old.end, old.type});
            break;
        }
    }
    /* Neighbours of one type are one range, or taking page after page would fill the map. */
    if (i < map->count && map->range[i].start == end && map->range[i].type == type) {
        map->range[i].start = start;
        if (i > 0 && map->range[i - 1].end == start && map->range[i - 1].type == type) {
            map->range[i - 1].end = map->range[i].end;
            remove_at(map, i);
        }
    } else if (i > 0 && map->range[i - 1].end == start && map->range[i - 1].type == type) {
        map->range[i - 1].end = end;
    } else {
        insert_at(map, i, (struct mem_range){start, end, type});
    }
    return 0;
}

static bool next_pages(const struct memmap *map, unsigned *cursor, bool taken_too,
                       struct mem_range *out)
{
    while (*cursor < map->count) {
        const struct mem_range *range = &map->range[(*cursor)++];
        phys_addr_t end = ALIGN_DOWN(range->end, PAGE_SIZE);
        bool wanted = range->type == MEM_USABLE || (taken_too && range->type == MEM_TAKEN);

        if (!wanted || range->start > end)
            continue;
        *out = (struct mem_range){ALIGN_UP(range->start, PAGE_SIZE), end, range->type};
        if (out->start < out->end)
            return true;
    }
    return false;
}

bool memmap_next_usable(const struct memmap *map, unsigned *cursor, struct mem_range *out)
{
    return next_pages(map, cursor, false, out);
}

bool memmap_next_ram(const struct memmap *map, unsigned *cursor, struct mem_range *out)
{
    return next_pages(map, cursor, true, out);
}

phys_addr_t memmap_usable_end(const struct memmap *map, phys_addr_t limit)
{
    phys_addr_t end = 0;
    struct mem_range range;

    for (unsigned cursor = 0; memmap_next_usable(map, &cursor, &range);)
        if (range.start < limit)
            end = MIN(range.end, limit);
    return end;
}

uint64_t memmap_usable_bytes(const struct memmap *map, phys_addr_t start, phys_addr_t end)
{
    uint64_t bytes = 0;
    struct mem_range range;

    for (unsigned cursor = 0; memmap_next_usable(map, &cursor, &range);) {
        phys_addr_t from = MAX(range.start, start), to = MIN(range.end, end);

        if (from < to)
            bytes += to - from;
    }
    return bytes;
}

phys_addr_t memmap_take(struct memmap *map, uint64_t size, uint64_t align, phys_addr_t limit)
{
    phys_addr_t best = 0;
    struct mem_range range;

    if (size == 0)
        return 0;
    for (unsigned cursor = 0; memmap_next_usable(map, &cursor, &range);) {
        phys_addr_t end = MIN(range.end, limit);

        if (end <= range.start || end - range.start < size)
            continue;
        phys_addr_t at = ALIGN_DOWN(end - size, align);
        if (at >= range.start && at != 0)
            best = at;
    }
    if (best && memmap_mark(map, best, best + size, MEM_TAKEN) != 0)
        return 0;
    return best;
}
