// SPDX-License-Identifier: BSD-2-Clause
#include "ci/trace/diff_side.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ci/runner/words.h"

#define LINE_MAX_BYTES 4096
#define DEPTH_COLUMN 4
#define ACCESSES " ; "

static uint64_t mix(uint64_t key, const char *s, size_t length)
{
    for (size_t i = 0; i < length; i++)
        key = (key ^ (uint8_t)s[i]) * UINT64_C(0x100000001b3);
    return key;
}

/* Up to the offset, which an other build may have otherwise. */
static size_t without_offset(const char *s, size_t length)
{
    const char *plus = memmem(s, length, "+0x", 3);

    return plus ? (size_t)(plus - s) : length;
}

static uint64_t mix_accesses(uint64_t key, const char *at, bool physical)
{
    while (*at) {
        size_t length = strcspn(at, " ");
        bool walk = *at == 'P';
        const char *address = at + length + (at[length] == ' ');
        size_t address_length = strcspn(address, physical ? "= " : ">= ");

        if (!walk) {
            key = mix(key, at, length);
            key = mix(key, address, address_length);
        }
        at = address + strcspn(address, " ");
        at += *at == ' ';
    }
    return key;
}

uint64_t side_key_of(const char *line, enum diff_by by, bool with_offsets)
{
    uint64_t key = UINT64_C(0xcbf29ce484222325);

    if (*line == '#' || strlen(line) < DEPTH_COLUMN)
        return mix(key, line, strlen(line)) | 1;
    const char *symbol = line + DEPTH_COLUMN;
    size_t symbol_length = strcspn(symbol, " ");
    const char *place = symbol + symbol_length + strspn(symbol + symbol_length, " ");
    const char *instruction = place + strcspn(place, " ");
    instruction += strspn(instruction, " ");
    const char *accesses = strstr(instruction, ACCESSES);
    size_t length = accesses ? (size_t)(accesses - instruction) : strlen(instruction);

    while (length && instruction[length - 1] == ' ')
        length--;
    bool jumps = *instruction == 'j' || !strncmp(instruction, "loop", 4);
    if (!with_offsets)
        symbol_length = without_offset(symbol, symbol_length);
    if (!with_offsets && jumps)
        length = without_offset(instruction, length);
    key = mix(key, symbol, symbol_length);
    key = mix(key, " ", 1);
    key = mix(key, instruction, length);
    if (accesses && by != DIFF_CODE)
        key = mix_accesses(key, accesses + strlen(ACCESSES), by == DIFF_PHYSICAL);
    return key | 1;
}

/* The next line without its end, for free(), or NULL. */
static char *read_line(struct side *side)
{
    char bytes[LINE_MAX_BYTES];
    int error = 0;

    if (side->ended || !gzgets(side->file, bytes, sizeof(bytes))) {
        gzerror(side->file, &error);
        side->failed |= !side->ended && error != Z_OK && error != Z_STREAM_END;
        side->ended = true;
        return NULL;
    }
    bytes[strcspn(bytes, "\n")] = '\0';
    return text_copy(bytes);
}

static void put(struct side *side, char *line)
{
    side->lines[(side->head + side->count++) % side->room] =
        (struct side_line){.text = line, .key = side_key_of(line, side->by, side->with_offsets)};
}

int side_open(struct side *side, const char *path, unsigned window, char **message)
{
    char *line;

    *side = (struct side){.path = path, .file = gzopen(path, "rb"), .room = window + 1};
    if (!side->file) {
        *message = text("%s: %s", path, strerror(errno));
        return errno ? -errno : -ENOMEM;
    }
    gzbuffer(side->file, 1 << 18);
    side->lines = calloc(side->room, sizeof(*side->lines));
    side->about = read_line(side);
    if (!side->about || strncmp(side->about, "# paeload trace", strlen("# paeload trace")) != 0) {
        *message = text("%s: not a trace of this tool", path);
        return -EINVAL;
    }
    if ((line = read_line(side)))
        free(line); /* the command */
    return 0;
}

void side_compare(struct side *side, enum diff_by by, bool with_offsets)
{
    side->by = by;
    side->with_offsets = with_offsets;
}

size_t side_fill(struct side *side, size_t count)
{
    char *line;

    while (side->count < count && (line = read_line(side)))
        put(side, line);
    return side->count;
}

const struct side_line *side_line(const struct side *side, size_t at)
{
    return at < side->count ? &side->lines[(side->head + at) % side->room] : NULL;
}

uint64_t side_key(const struct side *side, size_t at)
{
    return at < side->count ? side->lines[(side->head + at) % side->room].key : 0;
}

/* Where each frame is now: the newest line of each depth says it. */
static void follow_stack(struct side *side, const char *line)
{
    if (*line == '#' || strlen(line) < DEPTH_COLUMN)
        return;
    unsigned depth = (unsigned)strtoul(line, NULL, 10);
    const char *symbol = line + DEPTH_COLUMN;
    size_t length = strcspn(symbol, " ");
    length += strspn(symbol + length, " ");
    length += strcspn(symbol + length, " ");

    side->depth = depth < SIDE_DEPTH_MAX ? depth : SIDE_DEPTH_MAX - 1;
    if (length >= SIDE_PLACE_MAX)
        length = SIDE_PLACE_MAX - 1;
    memcpy(side->stack[side->depth], symbol, length);
    side->stack[side->depth][length] = '\0';
}

void side_advance(struct side *side)
{
    struct side_line *line = &side->lines[side->head];
    char **kept = &side->context[side->number % SIDE_CONTEXT];

    follow_stack(side, line->text);
    free(*kept);
    *kept = line->text;
    side->head = (side->head + 1) % side->room;
    side->count--;
    side->number++;
}

void side_close(struct side *side)
{
    for (size_t i = 0; i < SIDE_CONTEXT; i++)
        free(side->context[i]);
    while (side->count) {
        free(side->lines[side->head].text);
        side->head = (side->head + 1) % side->room;
        side->count--;
    }
    free(side->lines);
    free(side->about);
    if (side->file)
        gzclose(side->file);
    *side = (struct side){0};
}
