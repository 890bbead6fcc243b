// SPDX-License-Identifier: BSD-2-Clause
#include "ci/runner/commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ci/runner/machine.h"
#include "ci/runner/run.h"
#include "ci/runner/table.h"
#include "ci/runner/tally.h"

#define STAGE "devices"
#define MAX_DEVICES 32

/*
 * What a device's metrics end with, and how many direct and bounced mappings each that it counts
 * stands for. Loops count their transfers, of two mappings, and which of these bounced.
 */
static const struct {
    const char *end;
    long direct, bounced;
} counts[] = {
    {"_from_bounced ", -1, 1}, {"_to_bounced ", -1, 1}, {"_direct ", 1, 0},
    {"_bounced ", 0, 1},       {"_transfers ", 2, 0},
};

struct covered {
    const char *device;
    long direct, bounced;
    long case_direct, case_bounced; /* of the case whose end is not read yet */
};

/* Both emulators are asked for their own devices. */
struct emulator {
    struct covered devices[MAX_DEVICES];
    size_t count;
};

/* The words of the key `devices` in the stanza `name`; they stay the table's. */
static void read_devices(const struct table *table, const char *name, struct emulator *emulator)
{
    for (size_t i = 0; i < table->nr_stanzas; i++) {
        struct table_stanza *stanza = &table->stanzas[i];

        if (strcmp(stanza->name, name))
            continue;
        for (size_t j = 0; j < stanza->nr_entries; j++) {
            char *rest = stanza->entries[j].value, *word;

            while ((word = strsep(&rest, " ")) && emulator->count < MAX_DEVICES) {
                if (*word)
                    emulator->devices[emulator->count++].device = word;
            }
        }
    }
}

/* Adds what a line "# metric SUITE.DEVICE0_case_direct 12 count" says. */
static void take_line(struct emulator *emulator, const char *line)
{
    static const char mark[] = "# metric ";
    const char *name = strstr(line, mark), *dot = name ? strchr(name, '.') : NULL;

    if (!dot)
        return;
    for (size_t i = 0; i < emulator->count; i++) {
        struct covered *c = &emulator->devices[i];

        if (strncmp(dot + 1, c->device, strlen(c->device)))
            continue;
        for (size_t j = 0; j < sizeof(counts) / sizeof(counts[0]); j++) {
            const char *end = strstr(dot, counts[j].end);
            long value = end ? strtol(end + strlen(counts[j].end), NULL, 10) : 0;

            if (!end)
                continue;
            c->case_direct += counts[j].direct * value;
            c->case_bounced += counts[j].bounced * value;
            break;
        }
    }
}

/* What a case has moved counts if the case is ok: its line follows its metrics. */
static void end_case(struct emulator *emulator, bool ok)
{
    for (size_t i = 0; i < emulator->count; i++) {
        struct covered *c = &emulator->devices[i];

        c->direct += ok ? c->case_direct : 0;
        c->bounced += ok ? c->case_bounced : 0;
        c->case_direct = c->case_bounced = 0;
    }
}

/* A log that is older than the payload is another payload's. */
static bool is_of_today(FILE *file, const char *build)
{
    char *path = text("%s/paeload.elf", build);
    struct stat image, log;
    bool known = !stat(path, &image) && !fstat(fileno(file), &log);

    free(path);
    return known && log.st_mtime >= image.st_mtime;
}

/* Reads the log of a run of the matrix, if there is one of this payload. */
static void take_log(struct emulator *emulator, const char *build, const char *stanza)
{
    char *path = text("%s/run/matrix/%s/serial.log", build, stanza);
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t room = 0;

    bool old = file && !is_of_today(file, build);

    if (old)
        fprintf(stderr, "%s is older than the payload\n", path);
    while (file && !old && getline(&line, &room, file) >= 0) {
        const char *said = line + strspn(line, " ");

        take_line(emulator, line);
        if (!strncmp(said, "ok ", 3) || !strncmp(said, "not ok ", 7))
            end_case(emulator, *said == 'o');
    }
    end_case(emulator, false);
    if (file)
        fclose(file);
    free(line);
    free(path);
}

static bool is_bochs(const struct table_stanza *stanza)
{
    for (size_t i = 0; i < stanza->nr_entries; i++) {
        if (!strcmp(stanza->entries[i].key, "firmware"))
            return !strcmp(stanza->entries[i].value, firmware_name(FIRMWARE_BOCHS));
    }
    return false;
}

static unsigned judge_devices(const struct options *options, const struct emulator *emulator,
                              const char *name)
{
    unsigned failed = 0;

    for (size_t i = 0; i < emulator->count; i++) {
        const struct covered *c = &emulator->devices[i];
        bool whole = c->direct > 0 && c->bounced > 0;
        char *label = text("%s.%s", name, c->device);

        printf("%-6s %-16s %8ld direct %8ld bounced\n", whole ? "ok" : "FAILED", label, c->direct,
               c->bounced);
        tally_add(options->tally, STAGE, label, whole);
        failed += !whole;
        free(label);
    }
    return failed;
}

int command_covered(const struct options *options, char **args)
{
    struct emulator qemu = {0}, bochs = {0};
    struct table devices, matrix;
    char *message = NULL;

    if (!args[0] || !args[1] || table_read(&devices, args[0], &message)) {
        fprintf(stderr, "%s\n", message ? message : "covered: which tables?");
        free(message);
        return RESULT_CANT;
    }
    if (table_read(&matrix, args[1], &message)) {
        fprintf(stderr, "%s\n", message);
        free(message);
        table_free(&devices);
        return RESULT_CANT;
    }
    tally_begin(options->tally, STAGE);
    read_devices(&devices, "qemu", &qemu);
    read_devices(&devices, "bochs", &bochs);
    for (size_t i = 0; i < matrix.nr_stanzas; i++)
        take_log(is_bochs(&matrix.stanzas[i]) ? &bochs : &qemu, options->build,
                 matrix.stanzas[i].name);
    unsigned failed =
        judge_devices(options, &qemu, "qemu") + judge_devices(options, &bochs, "bochs");
    tally_end(options->tally, STAGE);
    table_free(&matrix);
    table_free(&devices);
    return failed ? RESULT_FAIL : RESULT_PASS;
}
