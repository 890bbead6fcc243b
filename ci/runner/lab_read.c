// SPDX-License-Identifier: BSD-2-Clause
#include "ci/runner/lab_log.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ci/array.h"

#define MAX_WORDS 24
#define MAX_NOTES 50
#define MAX_CELLS 64
#define MAX_CASES 400

/*
 * 64 GiB may lie around holes, and end beyond what 36 address bits reach; lowmem ends below 4 GiB.
 * No run has that many ms and steps.
 */
#define MAX_FRAMES (UINT64_C(1) << 25)
#define MAX_LOW_FRAMES (UINT64_C(1) << 20)
#define MAX_MS UINT64_C(1000000000)
#define MAX_COUNT UINT64_C(1000000000000000)

static const char *const when_names[LAB_WHENS] = {"start", "wedge", "end"};

/* A line that is being read. */
struct reader {
    struct lab_log *log;
    struct lab_case *run; /* the open case, or NULL */
    char *words[MAX_WORDS];
    size_t count;
    unsigned pass;
    const char *why; /* what is wrong with the line, or NULL */
};

/* Word `i` as a number up to `max`; otherwise the line is bad. */
static uint64_t number(struct reader *reader, size_t i, uint64_t max)
{
    const char *word = reader->words[i];
    uint64_t value = 0;

    if (!*word)
        reader->why = "an empty number";
    for (; *word; word++) {
        if (!isdigit((unsigned char)*word)) {
            reader->why = "a number is none";
            return 0;
        }
        value = 10 * value + (uint64_t)(*word - '0');
        if (value > max) {
            reader->why = "a number is too large";
            return 0;
        }
    }
    return value;
}

/* Word `i` as one of `count` names. */
static unsigned one_of(struct reader *reader, size_t i, const char *const *names, unsigned count)
{
    for (unsigned name = 0; name < count; name++) {
        if (!strcasecmp(reader->words[i], names[name]))
            return name;
    }
    reader->why = "a word is none of those it can be";
    return 0;
}

static unsigned zone_word(struct reader *reader, size_t i)
{
    const char *names[LAB_ZONES];

    for (unsigned zone = 0; zone < LAB_ZONES; zone++)
        names[zone] = lab_zone_name(zone);
    return one_of(reader, i, names, LAB_ZONES);
}

static enum lab_verdict verdict_word(struct reader *reader, size_t i)
{
    static const char *const names[LAB_VERDICTS] = {"never", "wedged", "over", "stopped"};

    return (enum lab_verdict)one_of(reader, i, names, LAB_VERDICTS);
}

/* Word `i` as the name of a workload. With passes= each pass is told by itself: it has another
 * seed. */
static char *workload_word(const struct reader *reader, size_t i)
{
    const char *name = reader->words[i];

    return reader->pass > 1 ? text("%s-pass%u", name, reader->pass) : text_copy(name);
}

/* begin SUITE.CASE WORKLOAD UNIT LIMIT */
static void read_begin(struct reader *reader)
{
    char *name = reader->words[0], *dot = strchr(name, '.');
    uint64_t limit = number(reader, 3, UINT64_MAX / 16);
    struct lab_log *log = reader->log;

    if (!dot || dot == name || !dot[1])
        reader->why = "SUITE.CASE has no two parts";
    else if (log->nr_cases == MAX_CASES)
        reader->why = "more cases than are drawn";
    if (reader->why)
        return;
    struct lab_case *run = array_add(&log->cases, &log->nr_cases);
    run->suite = text("%.*s", (int)(dot - name), name);
    run->name = text_copy(dot + 1);
    run->workload = workload_word(reader, 1);
    run->unit = text_copy(reader->words[2]);
    run->limit = limit;
    run->zone = run->largest = -1;
    reader->run = run;
}

/* zone NAME FIRST END PRESENT */
static void read_zone(struct reader *reader)
{
    unsigned zone = zone_word(reader, 0);
    uint64_t first = number(reader, 1, MAX_FRAMES), end = number(reader, 2, MAX_FRAMES);
    uint64_t present = number(reader, 3, MAX_FRAMES);

    struct lab_zone *read = &reader->run->zones[zone];

    if (!reader->why && (end < first || present > end - first))
        reader->why = "the zone has more pages than frames";
    if (!reader->why && read->known) {
        reader->why = "the zone was named before, so another case has begun unseen";
        reader->run = NULL;
    }
    if (reader->why)
        return;
    read->known = true;
    read->first = first;
    read->end = end;
    read->present = present;
}

/* clock EMPTY NOISE UNIT */
static void read_clock(struct reader *reader)
{
    uint64_t noise;

    number(reader, 0, MAX_COUNT);
    noise = number(reader, 1, MAX_COUNT);
    if (!reader->why)
        reader->run->noise = noise;
}

/* owner LETTER NAME */
static void read_owner(struct reader *reader)
{
    const char *letter = reader->words[0];

    if (*letter < 'a' || *letter > 'z' || letter[1]) {
        reader->why = "an owner's letter is none";
        return;
    }
    char **name = &reader->run->owners[*letter - 'a'];
    free(*name);
    *name = text_copy(reader->words[1]);
}

/* sample MS DONE ZONE FREE N0 ... N10 */
static void read_sample(struct reader *reader)
{
    struct lab_sample sample = {.ms = number(reader, 0, MAX_MS),
                                .done = number(reader, 1, MAX_COUNT),
                                .free = (uint32_t)number(reader, 3, MAX_FRAMES)};
    struct lab_zone *zone = &reader->run->zones[zone_word(reader, 2)];
    uint64_t in_blocks = 0;

    for (unsigned order = 0; order < NR_ORDERS; order++) {
        sample.counts.nr_free[order] = (uint32_t)number(reader, 4 + order, MAX_FRAMES);
        in_blocks += (uint64_t)sample.counts.nr_free[order] << order;
    }
    if (reader->why)
        return;
    const struct lab_sample *last = zone->nr_samples ? &zone->samples[zone->nr_samples - 1] : NULL;
    if (in_blocks > sample.free)
        reader->why = "more pages in free blocks than are free";
    else if (zone->known && sample.free > zone->present)
        reader->why = "more pages free than the zone has";
    else if (last && (sample.ms < last->ms || sample.done < last->done))
        reader->why = "a sample from before the one that it follows";
    if (reader->why)
        return;
    *array_add(&zone->samples, &zone->nr_samples) = sample;
}

/* map WHEN FRAME STEP CELLS */
static void read_map(struct reader *reader)
{
    struct lab_map *map = &reader->run->maps[one_of(reader, 0, when_names, LAB_WHENS)];
    uint64_t frame = number(reader, 1, MAX_LOW_FRAMES), step = number(reader, 2, MAX_LOW_FRAMES);
    const char *cells = reader->words[3];

    for (const char *cell = cells; *cell; cell++) {
        if (*cell != '-' && *cell != '.' && *cell != '?' && !isalpha((unsigned char)*cell))
            reader->why = "a cell that is none";
    }
    if (reader->why)
        return;
    const struct lab_row *last = map->nr_rows ? &map->rows[map->nr_rows - 1] : NULL;
    if (strlen(cells) > MAX_CELLS)
        reader->why = "too many cells in a row";
    else if (!step || (map->step && step != map->step))
        reader->why = "the size of a cell is 0, or another than before";
    else if (last && frame < last->frame + strlen(last->cells) * map->step)
        reader->why = "a row that overlaps the one before";
    else if (frame + strlen(cells) * step > MAX_LOW_FRAMES + step)
        reader->why = "frames that lowmem never has";
    if (reader->why)
        return;
    map->step = step;
    *array_add(&map->rows, &map->nr_rows) =
        (struct lab_row){.frame = frame, .cells = text_copy(cells)};
}

/* failed ORDER COUNT */
static void read_failed(struct reader *reader)
{
    unsigned order = (unsigned)number(reader, 0, MAX_ORDER);
    uint64_t count = number(reader, 1, MAX_COUNT);

    if (!reader->why)
        reader->run->failed[order] = count;
}

/* below ZONE MIN LOW HIGH */
static void read_below(struct reader *reader)
{
    struct lab_zone *zone = &reader->run->zones[zone_word(reader, 0)];
    uint64_t below[LAB_MARKS];

    for (unsigned mark = 0; mark < LAB_MARKS; mark++)
        below[mark] = number(reader, 1 + mark, MAX_COUNT);
    if (reader->why)
        return;
    memcpy(zone->below, below, sizeof(below));
    zone->has_below = true;
}

/* spent WHAT ORDER COUNT P50 P90 P99 MAX UNIT */
static void read_spent(struct reader *reader)
{
    static const char *const names[LAB_SPENT_WHATS] = {"alloc", "free", "slab"};
    struct lab_case *run = reader->run;
    struct lab_spent spent = {
        .what = (enum lab_spent_what)one_of(reader, 0, names, LAB_SPENT_WHATS),
        .order = (unsigned)number(reader, 1, MAX_ORDER),
        .count = number(reader, 2, MAX_COUNT),
        .p50 = number(reader, 3, MAX_COUNT),
        .p90 = number(reader, 4, MAX_COUNT),
        .p99 = number(reader, 5, MAX_COUNT),
        .max = number(reader, 6, MAX_COUNT),
    };

    if (!reader->why && (spent.p50 > spent.p90 || spent.p90 > spent.p99 || spent.p99 > spent.max))
        reader->why = "percentiles that do not rise";
    if (reader->why)
        return;
    spent.unit = text_copy(reader->words[7]);
    *array_add(&run->spent, &run->nr_spent) = spent;
}

/* events NAME COUNT */
static void read_events(struct reader *reader)
{
    struct lab_case *run = reader->run;
    uint64_t count = number(reader, 1, MAX_COUNT);

    if (reader->why)
        return;
    *array_add(&run->events, &run->nr_events) =
        (struct lab_event){.name = text_copy(reader->words[0]), .count = count};
}

/* end DONE VERDICT ORDER ZONE FREE_DMA FREE_NORMAL FREE_HIGH LARGEST */
static void read_end(struct reader *reader)
{
    struct lab_case *run = reader->run;
    uint64_t done = number(reader, 0, MAX_COUNT), free[LAB_ZONES];
    enum lab_verdict verdict = verdict_word(reader, 1);
    unsigned order = (unsigned)number(reader, 2, MAX_ORDER);
    /* Where nothing failed there is no zone to name, and where nothing is free no largest order. */
    int zone = strcmp(reader->words[3], "-") ? (int)zone_word(reader, 3) : -1;
    int largest = strcmp(reader->words[7], "-1") ? (int)number(reader, 7, MAX_ORDER) : -1;

    for (unsigned i = 0; i < LAB_ZONES; i++)
        free[i] = number(reader, 4 + i, MAX_FRAMES);
    if (reader->why)
        return;
    run->ended = true;
    run->done = done;
    run->verdict = verdict;
    run->order = order;
    run->zone = zone;
    run->largest = largest;
    memcpy(run->free, free, sizeof(free));
}

/*
 * result WORKLOAD REMEDY DONE VERDICT TIMES P50 ORDER
 *
 * It stands in the case that it is of. After a beginning that is lost it belongs to none.
 */
static void read_result(struct reader *reader)
{
    struct lab_log *log = reader->log;
    struct lab_case *run = reader->run;
    struct lab_result result = {.done = number(reader, 2, MAX_COUNT),
                                .verdict = verdict_word(reader, 3),
                                .times = number(reader, 4, MAX_COUNT),
                                .has_p50 = strcmp(reader->words[5], "-") != 0,
                                .order = (unsigned)number(reader, 6, MAX_ORDER)};

    if (result.has_p50)
        result.p50 = number(reader, 5, MAX_COUNT);

    if (reader->why)
        return;
    result.workload = workload_word(reader, 0);
    result.remedy = text_copy(reader->words[1]);
    result.has_case = run && !run->result && !strcmp(run->name, result.remedy) &&
                      !strcmp(run->workload, result.workload);
    *array_add(&log->results, &log->nr_results) = result;
    if (result.has_case)
        run->result = log->nr_results;
}

static const struct {
    const char *name;
    size_t words; /* after the name */
    bool in_case; /* belongs to the case that begin opened */
    void (*read)(struct reader *reader);
} kinds[] = {
    {"begin", 4, false, read_begin},
    {"zone", 4, true, read_zone},
    {"clock", 3, true, read_clock},
    {"owner", 2, true, read_owner},
    {"sample", 4 + NR_ORDERS, true, read_sample},
    {"map", 4, true, read_map},
    {"failed", 2, true, read_failed},
    {"below", 4, true, read_below},
    {"spent", 8, true, read_spent},
    {"events", 2, true, read_events},
    {"end", 8, true, read_end},
    {"result", 7, false, read_result},
};

/* Takes the line apart, in place. */
static void split(struct reader *reader, char *line)
{
    char *rest = line;

    reader->count = 0;
    for (char *word; (word = strsep(&rest, " "));) {
        if (!*word)
            continue;
        if (reader->count == MAX_WORDS) {
            reader->why = "too many words";
            return;
        }
        reader->words[reader->count++] = word;
    }
}

static void read_words(struct reader *reader)
{
    static const size_t nr_kinds = sizeof(kinds) / sizeof(kinds[0]);
    size_t kind = 0;

    if (reader->why)
        return;
    while (kind < nr_kinds && (!reader->count || strcmp(kinds[kind].name, reader->words[0])))
        kind++;
    if (kind == nr_kinds) {
        reader->why = "no such kind of line";
        return;
    }
    /* What follows a beginning that can't be read belongs to no case, least to the one before. */
    if (kinds[kind].read == read_begin)
        reader->run = NULL;
    memmove(reader->words, reader->words + 1, --reader->count * sizeof(reader->words[0]));
    if (reader->count != kinds[kind].words)
        reader->why = "words are missing, or too many";
    else if (kinds[kind].in_case && !reader->run)
        reader->why = "it belongs to no case";
    else
        kinds[kind].read(reader);
}

static void note(struct lab_log *log, unsigned long line, const char *why, const char *content)
{
    if (log->notes.count == MAX_NOTES)
        log->more_notes++;
    else
        words_add(&log->notes, "line %lu: %s: %s", line, why, content);
}

void lab_log_read(struct lab_log *log, const struct ktap *ktap)
{
    struct reader reader = {.log = log};

    *log = (struct lab_log){0};
    for (size_t i = 0; i < ktap->nr_lab; i++) {
        char *line = text_copy(ktap->lab[i].text);

        reader.why = NULL;
        reader.pass = ktap->lab[i].pass;
        split(&reader, line);
        read_words(&reader);
        if (reader.why)
            note(log, ktap->lab[i].number, reader.why, ktap->lab[i].text);
        free(line);
    }
}
