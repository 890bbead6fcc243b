/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dma_stress: all DMA clients at once, each from a thread of its own, while memory and windows are
 * under pressure too.
 *
 *     a thread a client   transfers of all its kinds, in every kind of memory, every byte checked
 *     fragmenter          lowmem filled with a kernel's mix, freed here and there, refilled
 *     windows             more pages than kmap() has windows, so that they are recycled
 *     hogs                mappings that wait for slots, since nearly all of the low pool is taken
 *
 * Why it can break: what two transfers share and one of them changes under the other. A controller
 * with one table for two drives, a slot given out twice, a window that is another's after a switch,
 * a command register put back while a neighbour needs it, an interrupt line that two drivers free,
 * a chipset that mixes up what two bus masters write at the same time. It shows as the transfer's
 * number, its buffer and the first wrong byte; the n-th transfer of a client is the same in each
 * run with the same seed.
 *
 * Metrics, for each client: the rate, with all waiting; and what 4 KiB cost the processor in the
 * client's own thread, apart from what it spent in waiting, which is the next one; both in cycles,
 * or in instructions where the TSC counts those. For each device, under the name of its first
 * client: how many permille of the bytes were bounced, and how many were not, and so were not
 * copied. These two are the mapping layer's own counts, and must be what the buffers' places come
 * to.
 */
#include "drivers/clock.h"
#include "lib/format.h"
#include "payload/tests/dma_model.h"
#include "payload/tests/stress_client.h"
#include "payload/tests/stress_pressure.h"

#define MAX_STRESSED (DMA_MAX_CLIENTS + DMA_NR_MODELS)
#define TICK_HZ 1000u
#define SPARSE_MS 1500u
#define SMOKE_MS 3000u
#define FULL_MS 30000u
#define NS_PER_MS 1000000u

/* What all threads of the case know. */
static struct {
    struct test *t;
    struct stress_client client[MAX_STRESSED];
    struct thread *thread[MAX_STRESSED];
    uint64_t copied[MAX_STRESSED]; /* by the device's counter, before the case */
    unsigned nr_clients;
} all;

static void thread_client(void *arg)
{
    struct stress_client *s = arg;

    while (!stress_is_over() && stress_client_turn(s))
        ;
}

/* The n-th client there is: devices, then models; NULL after the last. */
static struct dma_client *client_at(unsigned n)
{
    if (n < dma_client_count())
        return dma_client_at(n);
    n -= dma_client_count();
    return n < DMA_NR_MODELS ? dma_model_open(n) : NULL;
}

static bool is_model(unsigned n)
{
    return n >= dma_client_count();
}

static void open_clients(struct test *t)
{
    struct dma_client *client;

    for (unsigned n = 0; all.nr_clients < MAX_STRESSED && (client = client_at(n)) != NULL; n++) {
        struct stress_client *s = &all.client[all.nr_clients];

        if (stress_client_open(s, client, prng_u64(test_prng(t)))) {
            /* For the runner, which compares what is played where it knows it. */
            if (client->stream)
                test_log(t, "sound %s unknown", client->name);
            s->is_model = is_model(n);
            all.nr_clients++;
        } else {
            test_log(t, "%s is left out: %s", client->name, s->text);
            if (is_model(n))
                dma_model_close(client);
        }
    }
}

static void close_clients(void)
{
    devices_quiet();
    for (unsigned i = 0; i < all.nr_clients; i++) {
        stress_client_close(&all.client[i]);
        if (all.client[i].is_model)
            dma_model_close(all.client[i].client);
    }
    all.nr_clients = 0;
}

static void abandon(void)
{
    devices_quiet();
    dma_check_leaks(NULL);
    stress_pressure_forget();
    stress_pressure_close();
    close_clients();
}

/* All threads there are, for `ms`. */
static void run_threads(struct test *t, uint32_t ms)
{
    uint64_t start = clock_ns();

    for (unsigned i = 0; i < all.nr_clients; i++)
        all.copied[i] = all.client[i].client->dev->counters.bounced_bytes;
    stress_begin(t, ms);
    for (unsigned i = 0; i < all.nr_clients; i++)
        all.thread[i] = stress_start(all.client[i].client->name, thread_client, &all.client[i]);
    stress_pressure_start();
    while (!stress_is_over()) {
        test_progress(t, (uint32_t)((clock_ns() - start) / NS_PER_MS), ms);
        thread_yield();
    }
    for (unsigned i = 0; i < all.nr_clients; i++)
        stress_join(&all.thread[i], all.client[i].client->name);
    stress_pressure_join();
}

static void metric(const struct stress_client *s, const char *what, uint64_t value,
                   const char *unit)
{
    char name[40];

    format(name, sizeof(name), "%s_%s", s->client->name, what);
    test_metric(all.t, name, value, unit);
}

/*
 * What was copied for a device, by the layer's own count, against what its clients' buffers come
 * to. Of several clients that are one device the first is asked, for all.
 */
static void judge_copies(struct test *t, unsigned first)
{
    const struct stress_client *s = &all.client[first];
    const struct device *dev = s->client->dev;
    uint64_t copied = dev->counters.bounced_bytes - all.copied[first];
    struct stress_copies wanted = {0};

    for (unsigned i = 0; i < all.nr_clients; i++) {
        if (all.client[i].client->dev != dev)
            continue;
        if (i < first)
            return;
        stress_copies_add(&wanted, &all.client[i].copies);
    }
    TEST_CHECK(t, stress_copies_fit(&wanted, copied),
               "%s: %llu bytes were copied, and %llu to %llu had to be", s->client->name,
               (unsigned long long)copied, (unsigned long long)wanted.least,
               (unsigned long long)wanted.most);
    if (wanted.all == 0)
        return;
    metric(s, "bounce_share", MIN(copied * 1000 / wanted.all, (uint64_t)1000), "permille");
    metric(s, "copies_saved", wanted.all - MIN(copied, wanted.all), "bytes");
}

/* A device is asked or interrupts; in both cases somebody waits for it. */
static void judge_waiting(struct test *t, const struct stress_client *s)
{
    const char *unit = clock_tsc_counts_instructions() ? "instructions" : "cycles";

    TEST_CHECK(t, !s->client->completion || s->waited_tsc > 0,
               "%s: no waiting was noticed in %u transfers", s->client->name, s->transfers);
    metric(s, "cpu_per_4k", s->work_tsc * PAGE_SIZE / s->bytes, unit);
    metric(s, "waited_per_4k", s->waited_tsc * PAGE_SIZE / s->bytes, unit);
}

static void judge_client(struct test *t, struct stress_client *s)
{
    uint64_t us = s->ns / 1000, rate = us ? s->bytes * 1000000 / us : 0;

    stress_client_check_arenas(s);
    TEST_CHECK(t, s->wrong == 0, "%s: %s (%u wrong)", s->client->name, s->text, s->wrong);
    TEST_CHECK(t, s->transfers > 0, "%s came to no transfer", s->client->name);
    TEST_CHECK(t, dma_live_mappings(s->client->dev) == 0, "%s: mappings are left", s->client->name);
    test_log(t, "%s: %u transfers, first plans %08x, %llu KiB, %llu KiB/s, %u times no slots",
             s->client->name, s->transfers, s->first_plans, (unsigned long long)(s->bytes / KIB(1)),
             (unsigned long long)(rate / KIB(1)), s->no_room);
    if (s->bytes == 0)
        return;
    metric(s, "per_second", rate, "bytes");
    judge_waiting(t, s);
}

static void check_nothing_left(struct test *t)
{
    struct bounce_pool_info pool;

    TEST_CHECK(t, dma_check_leaks(NULL) == 0, "mappings were leaked");
    for (unsigned i = 0; bounce_pool_info(i, &pool); i++)
        TEST_CHECK(t, pool.used_bytes == 0, "bounce pool at 0x%llx: %u bytes still in use",
                   addr_number(pool.base), pool.used_bytes);
}

static void case_all_at_once(struct test *t)
{
    static const uint32_t durations[] = {
        [DEPTH_SPARSE] = SPARSE_MS, [DEPTH_SMOKE] = SMOKE_MS, [DEPTH_FULL] = FULL_MS};

    all.t = t;
    open_clients(t);
    stress_pressure_open(t);
    if (threads_start(TICK_HZ)) {
        test_error(t, "the timer's interrupt line has no room");
    } else {
        run_threads(t, durations[test_depth(t)]);
        test_log(t, "%u switches between threads, %u by the timer", thread_switches(),
                 thread_preemptions());
        TEST_CHECK(t, threads_stop() == 0, "threads are left that did not end");
        stress_pressure_relax();
        for (unsigned i = 0; i < all.nr_clients; i++) {
            judge_client(t, &all.client[i]);
            judge_copies(t, i);
        }
        stress_pressure_judge(t);
        check_nothing_left(t);
    }
    stress_pressure_close();
    close_clients();
}

static const struct test_case cases[] = {{"all_at_once", case_all_at_once}};

SUITE(dma_stress) = {
    .name = "dma_stress",
    .about = "all DMA devices at once, with memory and windows under pressure",
    .rank = SUITE_RANK_STRESS,
    .cases = cases,
    .nr_cases = ARRAY_SIZE(cases),
    .abandon = abandon,
};
