// SPDX-License-Identifier: BSD-2-Clause
#include "ci/runner/commands.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ci/runner/expect.h"
#include "ci/runner/pool.h"
#include "ci/runner/run.h"
#include "ci/runner/table.h"
#include "ci/runner/tail.h"
#include "ci/runner/tally.h"

#define STAGE "matrix"
#define LOG_LINES 30

/* A stanza that names no limit has time for a host that is busy; a hang is noticed by its silence.
 */
#define TIMEOUT_S "300"

/* One stanza, understood. */
struct stanza_run {
    struct machine machine;
    struct expectation expectation;
    const struct options *options;
    bool heavy;
    char *label; /* the stanza's name */
};

static struct {
    const struct options *options;
    unsigned failed;
} state;

static int set_key(struct stanza_run *run, const struct table_entry *entry, char **message)
{
    if (!strcmp(entry->key, "heavy")) {
        run->heavy = !strcmp(entry->value, "yes");
        return 0;
    }
    int error = machine_set(&run->machine, entry->key, entry->value, message);
    if (error == -ENOENT)
        error = expect_set(&run->expectation, entry->key, entry->value, message);
    if (error == -ENOENT)
        *message = text("there is no key %s", entry->key);
    return error;
}

static int understand(struct stanza_run *run, const struct table_stanza *stanza,
                      const struct options *options, char **message)
{
    *run = (struct stanza_run){.options = options, .label = text_copy(stanza->name)};
    machine_init(&run->machine);
    machine_set(&run->machine, "timeout", TIMEOUT_S, message);
    machine_set(&run->machine, "seed", options->seed, message);
    for (size_t i = 0; i < stanza->nr_entries; i++) {
        char *what = NULL;

        if (set_key(run, &stanza->entries[i], &what)) {
            *message = text("line %u: %s", stanza->entries[i].line, what);
            free(what);
            return -EINVAL;
        }
    }
    char *name = text(STAGE "/%s", stanza->name);
    int error = machine_set(&run->machine, "name", name, message);
    free(name);
    return error;
}

static void run_shown(struct stanza_run *run, struct run_result *result)
{
    struct live live;

    live_start(&live, stdout);
    run_machine(&run->machine, run->options->build, &live, result);
    run_show_end(&run->machine, result, &live);
}

static int run_stanza(struct job *job)
{
    struct stanza_run *run = job->ctx;
    struct run_result result;
    bool again;
    char *why;

    run_shown(run, &result);
    again = result.bochs_crashed;
    if (again) {
        run_result_free(&result);
        run_shown(run, &result);
    }
    bool met = expect_met(&run->expectation, &result, &why);
    if (met)
        snprintf(job->note, JOB_NOTE_BYTES, "%s, %u cases%s", result_name(result.result),
                 result.ktap.counts[OUTCOME_OK], again ? " (Bochs crashed before)" : "");
    else
        snprintf(job->note, JOB_NOTE_BYTES, "%s\n    again: %s", why, result.command);
    free(why);
    run_result_free(&result);
    return met ? 0 : 1;
}

/* Its end at least: of a run in CI nothing else may be left. */
static void show_log(const char *path)
{
    struct words lines = {0};

    tail_lines(path, LOG_LINES, &lines);
    for (size_t i = 0; i < lines.count; i++)
        printf("    %s\n", lines.at[i]);
    printf("    log: %s\n", path);
    words_free(&lines);
}

static void show_stanza(struct job *job)
{
    if (job->status)
        state.failed++;
    printf("%-6s %-20s %6.1f s  %s\n", job->status ? "FAILED" : "ok", job->name, job->seconds,
           *job->note ? job->note : "the runner crashed");
    if (job->status)
        show_log(job->output);
    fflush(stdout);
    tally_add(state.options->tally, STAGE, job->name, !job->status);
}

static bool is_wanted(const char *name, char **globs)
{
    if (!*globs)
        return true;
    for (; *globs; globs++) {
        if (!fnmatch(*globs, name, 0))
            return true;
    }
    return false;
}

static bool matches_none(const struct table *table, const char *glob)
{
    for (size_t i = 0; i < table->nr_stanzas; i++) {
        if (!fnmatch(glob, table->stanzas[i].name, 0))
            return false;
    }
    return true;
}

int command_matrix(const struct options *options, char **args)
{
    struct table table;
    char *message = NULL;
    size_t count = 0;
    int result = RESULT_CANT;

    if (!*args) {
        fprintf(stderr, "matrix: which table?\n");
        return RESULT_CANT;
    }
    if (table_read(&table, *args, &message)) {
        fprintf(stderr, "%s\n", message);
        return RESULT_CANT;
    }
    for (char **glob = args + 1; *glob; glob++) {
        if (matches_none(&table, *glob)) {
            fprintf(stderr, "ONLY=%s: no run of %s is called so\n", *glob, *args);
            table_free(&table);
            return RESULT_CANT;
        }
    }
    struct stanza_run *runs = calloc(table.nr_stanzas + 1, sizeof(*runs));
    struct job *jobs = calloc(table.nr_stanzas + 1, sizeof(*jobs));
    if (!runs || !jobs)
        abort();
    for (size_t i = 0; i < table.nr_stanzas; i++) {
        if (!is_wanted(table.stanzas[i].name, args + 1))
            continue;
        struct stanza_run *run = &runs[count];
        if (understand(run, &table.stanzas[i], options, &message)) {
            fprintf(stderr, "%s: [%s]: %s\n", *args, table.stanzas[i].name, message);
            goto out;
        }
        jobs[count++] = (struct job){
            .name = run->label,
            .work = run_stanza,
            .ctx = run,
            .output = text("%s/run/" STAGE "-%s.out", options->build, run->label),
            .alone = run->heavy,
        };
    }
    for (size_t i = 0; i < count; i++)
        unlink(jobs[i].output);
    char *folder = text("%s/run", options->build);
    mkdir(options->build, 0777);
    mkdir(folder, 0777);
    free(folder);

    state.options = options;
    tally_begin(options->tally, STAGE);
    bool whole = pool_run(jobs, count, options->at_once, show_stanza);
    if (whole)
        tally_end(options->tally, STAGE);
    printf(STAGE ": %zu runs, %u failed%s\n", count, state.failed, whole ? "" : ", interrupted");
    if (whole && count)
        result = state.failed ? RESULT_FAIL : RESULT_PASS;
out:
    for (size_t i = 0; i < count; i++) {
        machine_free(&runs[i].machine);
        expect_free(&runs[i].expectation);
        free(runs[i].label);
        free(jobs[i].output);
    }
    free(runs);
    free(jobs);
    table_free(&table);
    return result;
}
