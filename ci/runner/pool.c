// SPDX-License-Identifier: BSD-2-Clause
#include "ci/runner/pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "ci/runner/process.h"

#define POLL_MS 50
#define MAX_AT_ONCE 64

struct slot {
    struct job *job; /* NULL: free */
    struct process process;
    double started;
};

static int run_job(void *ctx)
{
    struct job *job = ctx;

    return job->work(job);
}

static void start(struct slot *slot, struct job *job)
{
    slot->job = job;
    slot->started = process_clock();
    if (process_fork(&slot->process, run_job, job, job->output)) {
        perror("fork");
        exit(1);
    }
}

static unsigned count_busy(const struct slot *slots, unsigned at_once)
{
    unsigned busy = 0;

    for (unsigned i = 0; i < at_once; i++)
        busy += slots[i].job ? 1 : 0;
    return busy;
}

static void collect(struct slot *slots, unsigned at_once, void (*done)(struct job *job))
{
    for (unsigned i = 0; i < at_once; i++) {
        struct slot *slot = &slots[i];

        if (!slot->job || !process_poll(&slot->process))
            continue;
        slot->job->status = slot->process.status;
        slot->job->seconds = process_clock() - slot->started;
        done(slot->job);
        slot->job = NULL;
    }
}

bool pool_run(struct job *jobs, size_t count, unsigned at_once, void (*done)(struct job *job))
{
    struct slot slots[MAX_AT_ONCE] = {0};
    size_t next = 0;
    bool alone = false;
    char *notes = mmap(NULL, count * JOB_NOTE_BYTES + 1, PROT_READ | PROT_WRITE,
                       /* cppcheck-suppress invalidFunctionArg ; an anonymous mapping has no file */
                       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (notes == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }
    for (size_t i = 0; i < count; i++)
        jobs[i].note = notes + i * JOB_NOTE_BYTES;
    if (at_once < 1 || at_once > MAX_AT_ONCE)
        at_once = 1;

    while (!process_interrupted()) {
        unsigned busy = count_busy(slots, at_once);

        if (!busy && next == count)
            return true;
        if (!busy)
            alone = false;
        for (unsigned i = 0; i < at_once && next < count && !alone; i++) {
            if (slots[i].job || (jobs[next].alone && busy))
                continue;
            alone = jobs[next].alone;
            start(&slots[i], &jobs[next++]);
            busy++;
        }
        process_sleep(POLL_MS);
        collect(slots, at_once, done);
    }
    for (unsigned i = 0; i < at_once; i++) {
        if (slots[i].job)
            process_end(&slots[i].process);
    }
    return false;
}
