/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload/tests/workers.h"
#include "lib/format.h"

/* There is one case at a time. */
static struct worker workers[WORKERS_MAX];
static unsigned nr_workers;

bool workers_start(struct test *t, unsigned count, thread_fn_t fn)
{
    for (nr_workers = 0; nr_workers < count; nr_workers++) {
        struct worker *w = &workers[nr_workers];

        *w = (struct worker){.t = t, .number = nr_workers};
        prng_seed(&w->prng, prng_u64(test_prng(t)));
        format(w->name, sizeof(w->name), "worker%u", nr_workers);
        w->thread = thread_create(w->name, fn, w);
        if (!w->thread) {
            test_error(t, "no memory for thread %u of %u", nr_workers + 1, count);
            return false;
        }
    }
    return true;
}

void workers_join(struct test *t, const char *what)
{
    for (unsigned i = 0; i < nr_workers; i++) {
        struct worker *w = &workers[i];

        if (!TEST_CHECK(t, thread_join(w->thread), "%s sleeps for ever", w->name))
            break;
        TEST_CHECK(t, w->wrong == 0, "%s saw %s %u times in %u rounds", w->name, what, w->wrong,
                   w->rounds);
    }
    TEST_CHECK(t, threads_stop() == 0, "threads are left that did not end");
}

void worker_sleeps(struct serving *s)
{
    s->nr_asleep++;
}

void worker_is_served(struct serving *s, const struct worker *w)
{
    s->nr_asleep--;
    s->served[s->nr_served++] = w->number;
}

void serving_check(struct test *t, const struct serving *s, unsigned count, const char *what)
{
    TEST_CHECK(t, s->nr_served == count, "%u sleepers of %u got %s", s->nr_served, count, what);
    for (unsigned i = 0; i < s->nr_served; i++)
        TEST_CHECK(t, s->served[i] == i, "sleeper %u was served as number %u", s->served[i], i);
}
