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
#include "ci/runner/inject_list.h"
#include "ci/runner/pool.h"
#include "ci/runner/run.h"
#include "ci/runner/table.h"
#include "ci/runner/tally.h"

#define STAGE "mutations"
#define BASELINE "baseline" /* the stanza with nothing broken */
#define KEY_MUTATIONS "mutations"

struct mutation_run {
    const struct mutation *mutation;   /* NULL: the baseline, all suites unharmed */
    const struct table_stanza *stanza; /* its machine */
    const struct options *options;
};

static struct {
    const struct options *options;
    unsigned failed;
    size_t caught;
    bool baseline_failed;
} state;

/* Sets the machine of the stanza, and what it expects. Returns 0, or -EINVAL with *message set. */
static int understand(const struct table_stanza *stanza, struct machine *machine,
                      struct expectation *expectation, char **message)
{
    machine_init(machine);
    for (size_t i = 0; i < stanza->nr_entries; i++) {
        const struct table_entry *entry = &stanza->entries[i];
        char *what = NULL;
        int error = 0;

        if (strcmp(entry->key, KEY_MUTATIONS))
            error = machine_set(machine, entry->key, entry->value, &what);
        if (error == -ENOENT)
            error = expect_set(expectation, entry->key, entry->value, &what);
        if (error) {
            *message = text("line %u: %s", entry->line, what ? what : "there is no such key");
            free(what);
            return -EINVAL;
        }
    }
    return 0;
}

/* What must come out: the suite fails, unless the stanza has said what the runner finds. */
static void expect_failure(struct expectation *expectation, const struct mutation *mutation)
{
    expectation->result = RESULT_FAIL;
    if (!expectation->problems.count)
        expectation->suite = text_copy(mutation->suite);
}

static void set_arguments(struct machine *machine, const struct mutation *mutation)
{
    bool has_tests = strstr(machine->args, "tests=") != NULL;
    char *args = text("inject=%s%s%s failfast %s", mutation->name,
                      has_tests ? "" : " tests=", has_tests ? "" : mutation->suite, machine->args);
    char *message = NULL;

    machine_set(machine, "args", args, &message);
    free(args);
}

static int run_mutation(struct job *job)
{
    const struct mutation_run *run = job->ctx;
    const struct mutation *mutation = run->mutation;
    struct expectation expectation = {0};
    struct machine machine;
    struct run_result result;
    struct live live;
    char *name = text(STAGE "/%s", mutation ? mutation->name : BASELINE), *why = NULL;

    /* Read with success before anything ran. */
    understand(run->stanza, &machine, &expectation, &why);
    machine_set(&machine, "name", name, &why);
    machine_set(&machine, "seed", run->options->seed, &why);
    free(name);
    if (mutation) {
        set_arguments(&machine, mutation);
        expect_failure(&expectation, mutation);
    }
    live_start(&live, stdout);
    run_machine(&machine, run->options->build, &live, &result);
    run_show_end(&machine, &result, &live);
    bool met = expect_met(&expectation, &result, &why);
    if (!met)
        snprintf(job->note, JOB_NOTE_BYTES, "%s\n    again: %s", why, result.command);
    expect_free(&expectation);
    free(why);
    run_result_free(&result);
    machine_free(&machine);
    return met ? 0 : 1;
}

static void show_mutation(struct job *job)
{
    const struct mutation_run *run = job->ctx;
    const char *note = *job->note ? job->note : "the runner crashed";

    if (job->status)
        state.failed++;
    else if (run->mutation)
        state.caught++;
    if (!run->mutation)
        state.baseline_failed = job->status != 0;
    if (!run->mutation)
        printf(BASELINE ": all suites, nothing broken: %s (%.1f s)\n",
               job->status ? "NOT OK" : "ok", job->seconds);
    else
        printf("%s %s %s\n", run->mutation->name, run->mutation->suite,
               job->status ? "MISSED" : "caught");
    if (job->status)
        printf("    %s\n    log: %s\n", note, job->output);
    fflush(stdout);
    tally_add(state.options->tally, STAGE, job->name, !job->status);
}

/* Does one of the globs in a stanza's lists fit the mutation or its suite? */
static bool is_its_machine(const struct table_stanza *stanza, const struct mutation *mutation)
{
    bool fits = false;

    for (size_t i = 0; i < stanza->nr_entries && !fits; i++) {
        char *list = text_copy(stanza->entries[i].value), *rest = list, *glob;

        if (strcmp(stanza->entries[i].key, KEY_MUTATIONS))
            rest = NULL;
        while (!fits && (glob = strsep(&rest, " ")))
            fits = !fnmatch(glob, mutation->name, 0) || !fnmatch(glob, mutation->suite, 0);
        free(list);
    }
    return fits;
}

/* The first stanza that fits, or NULL; with no mutation, the baseline's. */
static const struct table_stanza *find_stanza(const struct table *table,
                                              const struct mutation *mutation)
{
    for (size_t i = 0; i < table->nr_stanzas; i++) {
        const struct table_stanza *stanza = &table->stanzas[i];

        if (mutation ? is_its_machine(stanza, mutation) : !strcmp(stanza->name, BASELINE))
            return stanza;
    }
    return NULL;
}

/* Can each stanza be understood, and has each mutation one? Else *message says what is wrong. */
static bool check_table(const struct table *table, const struct mutation_list *list, char **message)
{
    for (size_t i = 0; i < table->nr_stanzas; i++) {
        struct expectation expectation = {0};
        struct machine machine;
        char *what = NULL;
        int error = understand(&table->stanzas[i], &machine, &expectation, &what);

        machine_free(&machine);
        expect_free(&expectation);
        if (error) {
            *message = text("[%s]: %s", table->stanzas[i].name, what);
            free(what);
            return false;
        }
    }
    for (size_t i = 0; i < list->count; i++) {
        if (!find_stanza(table, &list->mutations[i])) {
            *message = text("no machine for mutation %s", list->mutations[i].name);
            return false;
        }
    }
    if (!find_stanza(table, NULL))
        *message = text("no stanza [" BASELINE "]");
    return !*message;
}

static struct job make_job(struct mutation_run *run)
{
    const char *name = run->mutation ? run->mutation->name : BASELINE;
    char *output = text("%s/run/" STAGE "-%s.out", run->options->build, name);

    unlink(output);
    return (struct job){.name = name, .work = run_mutation, .ctx = run, .output = output};
}

static bool is_wanted(const struct mutation *mutation, char **globs)
{
    if (!*globs)
        return true;
    for (; *globs; globs++) {
        if (!fnmatch(*globs, mutation->name, 0) || !fnmatch(*globs, mutation->suite, 0))
            return true;
    }
    return false;
}

static bool matches_none(const struct mutation_list *list, char *glob)
{
    char *globs[] = {glob, NULL};

    for (size_t i = 0; i < list->count; i++) {
        if (is_wanted(&list->mutations[i], globs))
            return false;
    }
    return true;
}

static bool run_all(const struct options *options, const struct table *table,
                    const struct mutation_list *list, char **globs)
{
    struct mutation_run *runs = calloc(list->count + 1, sizeof(*runs));
    struct job *jobs = calloc(list->count + 1, sizeof(*jobs));
    size_t count = 1;

    if (!runs || !jobs)
        abort();
    /* Without a baseline that passes, "not ok" would say nothing about a mutation. */
    runs[0] = (struct mutation_run){.options = options, .stanza = find_stanza(table, NULL)};
    jobs[0] = make_job(&runs[0]);
    for (size_t i = 0; i < list->count; i++) {
        if (!is_wanted(&list->mutations[i], globs))
            continue;
        runs[count] = (struct mutation_run){
            .options = options,
            .mutation = &list->mutations[i],
            .stanza = find_stanza(table, &list->mutations[i]),
        };
        jobs[count] = make_job(&runs[count]);
        count++;
    }
    bool whole = pool_run(jobs, count, options->at_once, show_mutation);
    printf(STAGE ": %zu of %zu caught%s%s\n", state.caught, count - 1, whole ? "" : ", interrupted",
           state.baseline_failed ? ", which says nothing: the baseline is not ok" : "");
    for (size_t i = 0; i < count; i++)
        free(jobs[i].output);
    free(runs);
    free(jobs);
    return whole && count > 1;
}

int command_mutations(const struct options *options, char **args)
{
    char *path = text("%s/paeload.debug.elf", options->build);
    char *folder = text("%s/run", options->build);
    struct mutation_list list = {0};
    struct table table;
    char *message = NULL;

    if (!*args) {
        fprintf(stderr, STAGE ": which table?\n");
        return RESULT_CANT;
    }
    state.options = options;
    tally_begin(options->tally, STAGE);
    bool readable = !table_read(&table, *args, &message) &&
                    !mutation_list_read(&list, path, &message) &&
                    check_table(&table, &list, &message);
    if (!readable)
        fprintf(stderr, "%s: %s\n", *args, message);
    for (char **glob = args + 1; readable && *glob; glob++) {
        if (matches_none(&list, *glob)) {
            fprintf(stderr, "ONLY=%s: neither a mutation nor a suite with one is called so\n",
                    *glob);
            readable = false;
        }
    }
    mkdir(folder, 0777);
    bool whole = readable && run_all(options, &table, &list, args + 1);
    if (whole)
        tally_end(options->tally, STAGE);
    mutation_list_free(&list);
    table_free(&table);
    free(message);
    free(folder);
    free(path);
    return !whole ? RESULT_CANT : state.failed ? RESULT_FAIL : RESULT_PASS;
}
