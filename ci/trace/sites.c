// SPDX-License-Identifier: BSD-2-Clause
#include "ci/trace/sites.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ci/array.h"
#include "ci/runner/words.h"
#include "ci/trace/bochs_output.h"

#define PAGE_MASK 0xfffu
#define TEXT_MAX 512

#define SYMBOL_COLUMN 34
#define PLACE_COLUMN 30
#define INSTRUCTION_COLUMN 44

void sites_init(struct sites *sites, const struct image *image, uint32_t slide)
{
    *sites = (struct sites){.image = image, .slide = slide};
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers it is */
    sites->in_image = calloc(image->end - image->start + 1, sizeof(*sites->in_image));
    if (!sites->in_image)
        abort();
}

size_t sites_nr_functions(const struct sites *sites)
{
    return sites->image->nr_functions + sites->nr_extra;
}

const char *sites_function_name(const struct sites *sites, uint32_t function)
{
    if (function < sites->image->nr_functions)
        return sites->image->functions[function];
    return sites->extra[function - sites->image->nr_functions];
}

uint32_t sites_extra_function(struct sites *sites, const char *name)
{
    for (size_t i = 0; i < sites->nr_extra; i++) {
        if (!strcmp(sites->extra[i], name))
            return (uint32_t)(sites->image->nr_functions + i);
    }
    *array_add(&sites->extra, &sites->nr_extra) = text_copy(name);
    return (uint32_t)(sites->image->nr_functions + sites->nr_extra - 1);
}

uint32_t sites_function(struct sites *sites, uint32_t linear)
{
    uint32_t link = linear - sites->slide;
    char name[32];

    if (image_has(sites->image, link)) {
        uint32_t function = sites->image->function[link - sites->image->start];

        if (function != IMAGE_NO_FUNCTION)
            return function;
    }
    /* One for each page: nobody can say more of firmware. */
    snprintf(name, sizeof(name), "[unknown_0x%08" PRIx32 "]", linear & ~PAGE_MASK);
    return sites_extra_function(sites, name);
}

char *sites_name(struct sites *sites, uint32_t linear)
{
    uint32_t function = sites_function(sites, linear);
    bool known = function < sites->image->nr_functions;
    uint32_t start =
        known ? sites->image->function_start[function] + sites->slide : linear & ~PAGE_MASK;
    const char *name = sites_function_name(sites, function);

    /* A part that the compiler put away from its function may lie in front of it. */
    if (linear < start)
        return text("%s-0x%" PRIx32, name, start - linear);
    return text("%s+0x%" PRIx32, name, linear - start);
}

/* Replaces `what` in `text` by `with`, once. */
static bool replace(char *text, size_t room, const char *what, const char *with)
{
    char *found = strstr(text, what);
    size_t length = strlen(what), new_length = strlen(with);

    if (!found || strlen(text) - length + new_length + 1 > room)
        return false;
    memmove(found + new_length, found + length, strlen(found + length) + 1);
    /* NOLINTNEXTLINE(bugprone-not-null-terminated-result): it goes into the middle */
    memcpy(found, with, new_length);
    return true;
}

/* A name without an offset of 0. */
static size_t shown_length(const char *name)
{
    size_t length = strlen(name);

    return length > 4 && !strcmp(name + length - 4, "+0x0") ? length - 4 : length;
}

/* An address that relocation put into the instruction, by its symbol. */
static void name_address(const struct sites *sites, char *text, size_t room, uint32_t link)
{
    const struct image_symbol *symbol = image_symbol_at(sites->image, link);
    uint32_t linear = link + sites->slide;
    char hex[16], decimal[16], name[128];

    if (!symbol)
        return;
    snprintf(hex, sizeof(hex), "0x%08" PRIx32, linear);
    snprintf(decimal, sizeof(decimal), "%+" PRId32, (int32_t)linear);
    snprintf(name, sizeof(name), "+%s+0x%" PRIx32, symbol->name, link - symbol->address);
    name[shown_length(name)] = '\0';
    if (!replace(text, room, hex, name + 1))
        replace(text, room, decimal, name);
}

static void name_operands(const struct sites *sites, char *text, size_t room, uint32_t link,
                          size_t length)
{
    const struct image *image = sites->image;

    for (size_t i = 0; i + 4 <= length; i++) {
        const uint8_t *bytes = image->bytes + (link - image->start) + i;

        if (image->relocated[link - image->start + i])
            name_address(sites, text, room,
                         bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
                             (uint32_t)bytes[3] << 24);
    }
}

/* "jz .+37  (0xc011d027)" becomes "jz page_address+0x27". */
static void name_target(struct sites *sites, char *text, size_t room)
{
    char *dot = strstr(text, " ."), *bracket = strstr(text, "(0x");

    if (!dot || !bracket)
        return;
    char *name = sites_name(sites, (uint32_t)strtoul(bracket + 1, NULL, 16));
    snprintf(dot + 1, room - (size_t)(dot + 1 - text), "%.*s", (int)shown_length(name), name);
    free(name);
}

struct opcode {
    uint8_t first, second, reg; /* reg: bits 3 to 5 of the byte behind the opcode */
    bool memory;                /* its operand is in memory */
};

static bool is_prefix(uint8_t byte)
{
    static const uint8_t prefixes[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65,
                                       0x66, 0x67, 0xf0, 0xf2, 0xf3};

    return memchr(prefixes, byte, sizeof(prefixes)) != NULL;
}

static struct opcode read_opcode(const uint8_t *bytes, size_t length)
{
    struct opcode opcode = {0};
    size_t at = 0;

    while (at < length && is_prefix(bytes[at]))
        at++;
    if (at < length)
        opcode.first = bytes[at++];
    if (opcode.first == 0x0f && at < length)
        opcode.second = bytes[at++];
    if (at < length) {
        opcode.reg = bytes[at] >> 3 & 7;
        opcode.memory = bytes[at] < 0xc0;
    }
    return opcode;
}

/* SDM vol. 2D, appendix A */
static enum site_kind kind_of(const struct opcode *opcode)
{
    uint8_t first = opcode->first;

    if (first == 0xe8 || first == 0x9a || (first == 0xff && (opcode->reg & ~1) == 2))
        return SITE_CALL;
    if (first == 0xc2 || first == 0xc3 || first == 0xca || first == 0xcb)
        return SITE_RETURN;
    if (first == 0xcf)
        return SITE_INTERRUPT_RETURN;
    if ((first & 0xf0) == 0x70 || (first >= 0xe0 && first <= 0xe3) ||
        (first >= 0xe9 && first <= 0xeb) || (first == 0xff && (opcode->reg & ~1) == 4) ||
        (first == 0x0f && (opcode->second & 0xf0) == 0x80))
        return SITE_JUMP;
    return SITE_OTHER;
}

static enum site_flush flush_of(const struct opcode *opcode)
{
    if (opcode->first != 0x0f)
        return SITE_FLUSH_NONE;
    if (opcode->second == 0x01 && opcode->reg == 7 && opcode->memory)
        return SITE_FLUSH_PAGE;
    if (opcode->second == 0x22)
        return opcode->reg == 3   ? SITE_FLUSH_CR3
               : opcode->reg == 4 ? SITE_FLUSH_CR4
                                  : SITE_FLUSH_NONE;
    return SITE_FLUSH_NONE;
}

static void set_shown(struct sites *sites, struct site *site, const char *instruction)
{
    char *name = sites_name(sites, site->linear);
    char *place = site->place.file
                      ? text("%s:%" PRIu32, sites->image->files[site->place.file], site->place.line)
                      : text_copy("-");

    free(site->shown);
    site->shown = text("%-*s %-*s %-*s", SYMBOL_COLUMN, name, PLACE_COLUMN, place,
                       INSTRUCTION_COLUMN, instruction);
    site->shown_length = strlen(site->shown);
    free(place);
    free(name);
}

static bool take_apart(struct sites *sites, struct site *site, const char *raw, size_t raw_length,
                       char **message)
{
    uint8_t bytes[BOCHS_INSTRUCTION_BYTES_MAX];
    uint32_t link = site->linear - sites->slide;
    size_t length, count = bochs_split(raw, raw_length, &length, bytes);
    struct opcode opcode = read_opcode(bytes, count);
    char shown[TEXT_MAX];

    if (!count) {
        *message = text("0x%08" PRIx32 ": no instruction bytes in \"%.*s\"", site->linear,
                        (int)raw_length, raw);
        return false;
    }
    if (image_has(sites->image, link) &&
        !image_same_bytes(sites->image, link, sites->slide, bytes, count)) {
        char *name = sites_name(sites, site->linear);

        *message = text("0x%08" PRIx32 " (%s, linked at 0x%08" PRIx32
                        ") ran \"%.*s\", which is not what the image has there",
                        site->linear, name, link, (int)raw_length, raw);
        free(name);
        return false;
    }
    site->length = (uint8_t)count;
    site->kind = kind_of(&opcode);
    site->flush = flush_of(&opcode);
    snprintf(shown, sizeof(shown), "%.*s", (int)(length < TEXT_MAX ? length : TEXT_MAX - 1), raw);
    name_target(sites, shown, sizeof(shown));
    if (image_has(sites->image, link))
        name_operands(sites, shown, sizeof(shown), link, count);
    set_shown(sites, site, shown);
    free(site->raw);
    site->raw = malloc(raw_length + 1);
    if (!site->raw)
        abort();
    memcpy(site->raw, raw, raw_length);
    site->raw_length = raw_length;
    return true;
}

static struct site *make(struct sites *sites, uint32_t linear)
{
    struct site *site = calloc(1, sizeof(*site));
    uint32_t link = linear - sites->slide;

    if (!site)
        abort();
    site->linear = linear;
    site->function = sites_function(sites, linear);
    if (image_has(sites->image, link))
        site->place = sites->image->place[link - sites->image->start];
    return site;
}

/* Where the pointer to the site of `linear` is, or will be. */
static struct site **slot_of(struct sites *sites, uint32_t linear)
{
    uint32_t link = linear - sites->slide;
    struct site **slot;

    if (image_has(sites->image, link))
        return &sites->in_image[link - sites->image->start];
    slot = &sites->outside[(linear ^ linear >> 12) % SITES_OUTSIDE];
    while (*slot && (*slot)->linear != linear)
        slot = &(*slot)->next;
    return slot;
}

struct site *sites_at(struct sites *sites, uint32_t linear, const char *raw, size_t raw_length,
                      char **message)
{
    struct site **slot = slot_of(sites, linear);
    struct site *site = *slot;

    if (site && site->raw_length == raw_length && !memcmp(site->raw, raw, raw_length))
        return site;
    if (!site)
        site = *slot = make(sites, linear);
    return take_apart(sites, site, raw, raw_length, message) ? site : NULL;
}

struct site *sites_unseen(struct sites *sites, uint32_t linear)
{
    struct site **slot = slot_of(sites, linear);

    if (!*slot) {
        *slot = make(sites, linear);
        set_shown(sites, *slot, "(not shown by Bochs)");
    }
    return *slot;
}

void sites_each(const struct sites *sites, void (*visit)(void *ctx, const struct site *site),
                void *ctx)
{
    for (uint32_t i = 0; i < sites->image->end - sites->image->start; i++) {
        if (sites->in_image[i])
            visit(ctx, sites->in_image[i]);
    }
    for (size_t i = 0; i < SITES_OUTSIDE; i++) {
        for (const struct site *site = sites->outside[i]; site; site = site->next)
            visit(ctx, site);
    }
}

static void free_site(struct site *site)
{
    free(site->raw);
    free(site->shown);
    free(site);
}

void sites_free(struct sites *sites)
{
    if (!sites->image)
        return;
    for (uint32_t i = 0; i < sites->image->end - sites->image->start; i++) {
        if (sites->in_image[i])
            free_site(sites->in_image[i]);
    }
    for (size_t i = 0; i < SITES_OUTSIDE; i++) {
        for (struct site *site = sites->outside[i], *next; site; site = next) {
            next = site->next;
            free_site(site);
        }
    }
    for (size_t i = 0; i < sites->nr_extra; i++)
        free(sites->extra[i]);
    free(sites->extra);
    free(sites->in_image);
    *sites = (struct sites){0};
}
