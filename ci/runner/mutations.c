// SPDX-License-Identifier: BSD-2-Clause
#include "ci/runner/commands.h"

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
#include "ci/runner/tally.h"

#define STAGE "mutations"
#define BASELINE "baseline"

/*
 * Not a suite: what no suite can notice, since the processor does not mind, and the emulator that
 * judges the page tables does.
 */
#define ORACLE "oracle"
#define ORACLE_TESTS "paging,kmap"

/*
 * All kinds of memory in a machine that is small and quick: 1 GiB below 4 GiB, so that there is
 * highmem below 4 GiB, and the other 1 GiB above it.
 */
static const struct setting {
    const char *key, *value;
} settings[] = {
    {"firmware", "bios"},
    {"machine", "pc,max-ram-below-4g=1G"},
    {"mem", "2G"},
    {"timeout", "300"},
};

/*
 * Mutations that QEMU's TCG can't show: a CR3 write there throws global translations away with the
 * others. Bochs keeps them, as processors do.
 */
static const char *const only_in_bochs[] = {
    "tlb_range_forgets_global",
    "tlb_global_by_cr3",
};

static const struct setting bochs_settings[] = {
    {"firmware", "bochs"},
    {"mem", "512M"},
    {"timeout", "120"},
};

struct mutation_run {
    const struct mutation *mutation; /* NULL: the baseline, all suites unharmed */
    const struct options *options;
};

static struct {
    const struct options *options;
    unsigned failed;
} state;

static bool needs_bochs(const struct mutation *mutation)
{
    for (size_t i = 0; mutation && i < sizeof(only_in_bochs) / sizeof(only_in_bochs[0]); i++) {
        if (strcmp(only_in_bochs[i], mutation->name) == 0)
            return true;
    }
    return false;
}

static bool is_for_oracle(const struct mutation *mutation)
{
    return !strcmp(mutation->suite, ORACLE);
}

/* What must come out. */
static struct expectation expect(const struct mutation *mutation)
{
    struct expectation expectation = {.result = mutation ? RESULT_FAIL : RESULT_PASS};

    if (mutation && is_for_oracle(mutation))
        words_add(&expectation.problems, "^oracle .*(believed|seen)");
    else if (mutation)
        expectation.suite = text_copy(mutation->suite);
    return expectation;
}

static void make_machine(struct machine *machine, const struct mutation *mutation)
{
    bool bochs = needs_bochs(mutation);
    const struct setting *setting = bochs ? bochs_settings : settings;
    size_t count = bochs ? sizeof(bochs_settings) / sizeof(bochs_settings[0])
                         : sizeof(settings) / sizeof(settings[0]);
    char *message;
    char *name = text(STAGE "/%s", mutation ? mutation->name : BASELINE);

    machine_init(machine);
    for (; count > 0; count--, setting++)
        machine_set(machine, setting->key, setting->value, &message);
    machine_set(machine, "name", name, &message);
    free(name);
    if (!mutation || is_for_oracle(mutation))
        machine_set(machine, "oracle", "yes", &message);
    if (!mutation)
        return;
    char *args = is_for_oracle(mutation)
                     ? text("inject=%s tests=" ORACLE_TESTS " depth=sparse", mutation->name)
                     : text("inject=%s tests=%s%s", mutation->name, mutation->suite,
                            bochs ? " depth=sparse" : "");
    machine_set(machine, "args", args, &message);
    free(args);
}

static int run_mutation(struct job *job)
{
    const struct mutation_run *run = job->ctx;
    const struct mutation *mutation = run->mutation;
    struct expectation expectation = expect(mutation);
    struct machine machine;
    struct run_result result;
    struct live live;
    char *why;

    make_machine(&machine, mutation);
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

static bool run_all(const struct options *options, const struct mutation_list *list, char **globs)
{
    struct mutation_run *runs = calloc(list->count + 1, sizeof(*runs));
    struct job *jobs = calloc(list->count + 1, sizeof(*jobs));
    size_t count = 0;

    if (!runs || !jobs)
        abort();
    /* Without a baseline that passes, "not ok" would say nothing about a mutation. */
    runs[0] = (struct mutation_run){.options = options};
    jobs[0] = make_job(&runs[0]);
    bool whole = pool_run(jobs, 1, 1, show_mutation);
    free(jobs[0].output);
    for (size_t i = 0; i < list->count && whole && !state.failed; i++) {
        if (!is_wanted(&list->mutations[i], globs))
            continue;
        runs[count] = (struct mutation_run){.options = options, .mutation = &list->mutations[i]};
        jobs[count] = make_job(&runs[count]);
        count++;
    }
    if (whole)
        whole = pool_run(jobs, count, options->at_once, show_mutation);
    printf(STAGE ": %zu of %zu caught%s\n", count - (state.failed < count ? state.failed : count),
           list->count, whole ? "" : ", interrupted");
    for (size_t i = 0; i < count; i++)
        free(jobs[i].output);
    free(runs);
    free(jobs);
    return whole && count;
}

int command_mutations(const struct options *options, char **args)
{
    char *path = text("%s/paeload.debug.elf", options->build);
    char *folder = text("%s/run", options->build);
    struct mutation_list list;
    char *message;

    state.options = options;
    tally_begin(options->tally, STAGE);
    int error = mutation_list_read(&list, path, &message);
    if (error)
        fprintf(stderr, "%s\n", message);
    mkdir(folder, 0777);
    bool whole = !error && run_all(options, &list, args);
    if (whole)
        tally_end(options->tally, STAGE);
    mutation_list_free(&list);
    free(message);
    free(folder);
    free(path);
    return !whole ? RESULT_CANT : state.failed ? RESULT_FAIL : RESULT_PASS;
}
