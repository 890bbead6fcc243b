// SPDX-License-Identifier: BSD-2-Clause
#include "ci/trace/tracer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ci/array.h"
#include "ci/runner/words.h"

#define PAGE_SHIFT 12
#define FRAMES_MAX (UINT64_C(1) << 24) /* 64 GiB */

#define DEPTH_COLUMN 3
#define ACCESS_TEXT_MAX 128
#define FIRST_INTERRUPT 32u

static void frames_init(struct frames *frames)
{
    frames->bits = calloc(FRAMES_MAX / 8, 1);
    if (!frames->bits)
        abort();
    frames->count = 0;
}

static void frames_clear(struct frames *frames)
{
    if (!frames->count)
        return;
    free(frames->bits);
    frames_init(frames);
}

static bool frames_add(struct frames *frames, uint64_t frame)
{
    uint8_t bit = (uint8_t)(1u << (frame % 8));

    if (frame >= FRAMES_MAX)
        return false;
    if (!(frames->bits[frame / 8] & bit)) {
        frames->bits[frame / 8] |= bit;
        frames->count++;
    }
    return true;
}

void tracer_init(struct tracer *tracer, const struct image *image, uint32_t slide)
{
    *tracer = (struct tracer){0};
    sites_init(&tracer->sites, image, slide);
    profile_init(&tracer->profile, &tracer->sites);
    frames_init(&tracer->frames);
    frames_init(&tracer->all_frames);
}

int tracer_open_text(struct tracer *tracer, const char *path)
{
    return gzip_open(&tracer->text, path);
}

static void end_line(struct tracer *tracer)
{
    if (tracer->line_open)
        gzip_write(&tracer->text, "\n", 1);
    tracer->line_open = false;
}

void tracer_note(struct tracer *tracer, const char *note)
{
    if (!tracer->text.file)
        return;
    end_line(tracer);
    gzip_write(&tracer->text, "# ", 2);
    gzip_write(&tracer->text, note, strlen(note));
    gzip_write(&tracer->text, "\n", 1);
}

/* Writes the number right-aligned, and a blank. */
static size_t put_depth(char *to, size_t depth)
{
    unsigned value = depth > 999 ? 999 : (unsigned)depth;

    to[0] = (char)(value >= 100 ? '0' + value / 100 : ' ');
    to[1] = (char)(value >= 10 ? '0' + value / 10 % 10 : ' ');
    to[2] = (char)('0' + value % 10);
    to[3] = ' ';
    return DEPTH_COLUMN + 1;
}

static void write_instruction(struct tracer *tracer, const struct site *site)
{
    end_line(tracer);
    char *to = gzip_room(&tracer->text, DEPTH_COLUMN + 1 + site->shown_length);
    size_t length = put_depth(to, tracer->profile.depth);

    memcpy(to + length, site->shown, site->shown_length);
    gzip_wrote(&tracer->text, length + site->shown_length);
    tracer->line_open = true;
    tracer->access_open = false;
}

/* At least `width` digits. */
static char *put_hex(char *to, uint64_t value, unsigned width)
{
    static const char digit[] = "0123456789abcdef";
    unsigned digits = width;

    while (digits < 16 && value >> (4 * digits))
        digits++;
    for (unsigned i = digits; i > 0; i--)
        *to++ = digit[value >> (4 * (i - 1)) & 15];
    return to;
}

static void write_access(struct tracer *tracer, const struct bochs_line *line)
{
    static const char letters[] = {
        [BOCHS_READ] = 'R', [BOCHS_WRITE] = 'W', [BOCHS_READ_WRITE] = 'R', [BOCHS_WALK] = 'P'};
    char *start = gzip_room(&tracer->text, ACCESS_TEXT_MAX), *to = start;

    if (!tracer->access_open) {
        *to++ = ' ';
        *to++ = ';';
    }
    tracer->access_open = true;
    *to++ = ' ';
    if (line->access == BOCHS_WALK) {
        size_t length = line->walk_level_length < 8 ? line->walk_level_length : 8;

        memcpy(to, line->walk_level, length);
        to += length;
        *to++ = ' ';
    } else {
        *to++ = letters[line->access];
        if (line->length >= 10)
            *to++ = (char)('0' + line->length / 10 % 10);
        *to++ = (char)('0' + line->length % 10);
        *to++ = ' ';
        if (line->has_linear) {
            to = put_hex(to, line->linear, 8);
            *to++ = '>';
        }
    }
    to = put_hex(to, line->physical, 8);
    *to++ = '=';
    to = put_hex(to, line->value, line->length < 8 ? 2 * line->length : 16);
    gzip_wrote(&tracer->text, (size_t)(to - start));
}

void tracer_begin(struct tracer *tracer, const char *name)
{
    char *note = text("begin %s", name);

    tracer_note(tracer, note);
    free(note);
    struct stretch *stretch = array_add(&tracer->stretches, &tracer->nr_stretches);
    strncpy(stretch->name, name, sizeof(stretch->name) - 1);
    frames_clear(&tracer->frames);
    tracer->is_on = true;
}

static void add_stretch(struct stretch *all, const struct stretch *stretch)
{
    all->cost.instructions += stretch->cost.instructions;
    all->cost.reads += stretch->cost.reads;
    all->cost.writes += stretch->cost.writes;
    for (unsigned i = 0; i < SITE_FLUSHES; i++)
        all->flushes[i] += stretch->flushes[i];
    all->walks += stretch->walks;
    all->interrupts += stretch->interrupts;
    all->exceptions += stretch->exceptions;
}

void tracer_end(struct tracer *tracer, bool cut)
{
    if (!tracer->is_on)
        return;
    struct stretch *stretch = &tracer->stretches[tracer->nr_stretches - 1];
    char *note = text("end %s%s", stretch->name, cut ? ", cut by the limit" : "");

    stretch->pages = tracer->frames.count;
    stretch->cut = cut;
    add_stretch(&tracer->all, stretch);
    tracer->all.pages = tracer->all_frames.count;
    profile_cut(&tracer->profile);
    tracer_note(tracer, note);
    free(note);
    tracer->is_on = false;
}

static bool feed_instruction(struct tracer *tracer, struct stretch *stretch,
                             const struct bochs_line *line)
{
    uint32_t linear = line->linear;
    bool unseen = profile_is_unseen(&tracer->profile, &linear);
    struct site *site =
        unseen ? sites_unseen(&tracer->sites, linear)
               : sites_at(&tracer->sites, linear, line->text, line->text_length, &tracer->error);

    if (!site)
        return false;
    profile_instruction(&tracer->profile, site);
    stretch->cost.instructions++;
    stretch->flushes[site->flush]++;
    if (tracer->text.file)
        write_instruction(tracer, site);
    return true;
}

static void feed_access(struct tracer *tracer, struct stretch *stretch,
                        const struct bochs_line *line)
{
    bool by_event = tracer->profile.event.is_pending;

    profile_access(&tracer->profile, line);
    if (tracer->text.file && tracer->line_open && !by_event)
        write_access(tracer, line);
    if (line->access == BOCHS_WALK) {
        stretch->walks++;
        return;
    }
    if (by_event || !stretch->cost.instructions)
        return;
    if (line->access == BOCHS_WRITE)
        stretch->cost.writes++;
    else
        stretch->cost.reads++;
    if (!frames_add(&tracer->frames, line->physical >> PAGE_SHIFT))
        tracer->beyond++;
    frames_add(&tracer->all_frames, line->physical >> PAGE_SHIFT);
}

static void feed_event(struct tracer *tracer, struct stretch *stretch,
                       const struct bochs_line *line)
{
    if (line->vector < FIRST_INTERRUPT)
        stretch->exceptions++;
    else
        stretch->interrupts++;
    profile_event(&tracer->profile, line->vector);
    if (tracer->text.file)
        tracer_note(tracer, profile_event_name(line->vector));
}

bool tracer_feed(struct tracer *tracer, const struct bochs_line *line)
{
    if (!tracer->is_on)
        return true;
    struct stretch *stretch = &tracer->stretches[tracer->nr_stretches - 1];

    switch (line->kind) {
    case BOCHS_INSTRUCTION:
        return feed_instruction(tracer, stretch, line);
    case BOCHS_ACCESS:
        feed_access(tracer, stretch, line);
        return true;
    case BOCHS_INTERRUPT:
        feed_event(tracer, stretch, line);
        return true;
    case BOCHS_DAMAGED:
        tracer->damaged++;
        return true;
    default:
        return true;
    }
}

int tracer_close_text(struct tracer *tracer)
{
    if (!tracer->text.file)
        return 0;
    end_line(tracer);
    return gzip_finish(&tracer->text);
}

void tracer_free(struct tracer *tracer)
{
    tracer_close_text(tracer);
    profile_free(&tracer->profile);
    sites_free(&tracer->sites);
    free(tracer->stretches);
    free(tracer->frames.bits);
    free(tracer->all_frames.bits);
    free(tracer->error);
    *tracer = (struct tracer){0};
}
