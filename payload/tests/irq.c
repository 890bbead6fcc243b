/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * irq: interrupts of devices, where they come and where they should have come or stayed away.
 *
 * On a PC: each device's end of transfer by its interrupt and by asking; every handler of a shared
 * line asked; a request that is withdrawn before it is acknowledged, which an 8259A answers with
 * vector 7 or 15; a line that never gets quiet. QEMU's edu, which asserts its line when it is told
 * to, adds the faults that other devices don't have to order: an interrupt that is lost, one that
 * is never taken back, a device that falls off the bus in the middle of a transfer.
 *
 * What can break on a machine: a line that firmware named wrongly, so that no interrupt comes; a
 * line left edge triggered that two devices share, where one of two interrupts is lost; a spurious
 * interrupt whose cascade stays in service, after which eight lines are dead. It shows as the
 * device that had to be asked, with its registers, or as the lines in service.
 */
#include "drivers/irq.h"
#include "drivers/clock.h"
#include "drivers/edu.h"
#include "drivers/pit.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "lib/x86/cpu.h"
#include "paging/page_alloc.h"
#include "payload/tests/irq_suite.h"

#define LAST_OF_FIRST 7u
#define LAST_OF_SECOND 15u
#define TICK_HZ 1000u
#define TICK_LIMIT_MS 2000u
#define STORM_MOST 100000u /* interrupts of nobody that a line can surely not go on with */
#define BUFFER_ORDER 2u
#define NOW_AND_THEN 100u /* answers */

static struct watcher {
    volatile uint32_t calls;
    bool owns;
} watchers[IRQ_WATCHERS];

static struct page *buffer;

static void abandon(void)
{
    for (unsigned i = 0; edu_at(i); i++) {
        edu_set_fault(edu_at(i), EDU_WORKS);
        client_readmit(edu_at(i));
    }
    pit_stop();
    devices_quiet();
    dma_check_leaks(NULL);
    if (buffer)
        irq_give_buffer();
}

struct page *irq_take_buffer(struct test *t)
{
    buffer = alloc_pages(GFP_KERNEL, BUFFER_ORDER);
    if (!buffer)
        test_error(t, "no memory for a buffer");
    return buffer;
}

void irq_give_buffer(void)
{
    __free_pages(buffer, BUFFER_ORDER);
    buffer = NULL;
}

static bool on_line(void *ctx)
{
    struct watcher *w = ctx;

    w->calls++;
    return w->owns;
}

bool irq_watch(struct test *t, unsigned line, unsigned n, bool owns)
{
    int err;

    watchers[n] = (struct watcher){.owns = owns};
    err = irq_request(line, on_line, &watchers[n], "irq suite");
    if (err)
        test_error(t, "line %u can't be had: error %d", line, -err);
    return err == 0;
}

void irq_unwatch(unsigned line, unsigned n)
{
    irq_free(line, on_line, &watchers[n]);
}

uint32_t irq_watched(unsigned n)
{
    return watchers[n].calls;
}

/* True once watcher 0 has been called again. */
static bool wait_tick(void)
{
    uint32_t before = irq_watched(0);
    deadline_t deadline = deadline_in_ms(TICK_LIMIT_MS);

    while (irq_watched(0) == before && !deadline_passed(deadline))
        cpu_relax();
    return irq_watched(0) != before;
}

void irq_check_service(struct test *t, const char *when)
{
    uint16_t lines = irq_in_service();

    TEST_CHECK(t, lines == 0, "lines in service %s: 0x%04x", when, lines);
}

/* What the processor gets from an 8259A whose request went away: the vector, and nothing else. */
static void case_spurious(struct test *t)
{
    uint32_t spurious = irq_spurious_count();
    uint32_t real = irq_count(LAST_OF_FIRST) + irq_count(LAST_OF_SECOND);

    __asm__ volatile("int %0" : : "i"(IRQ_BASE_VECTOR + LAST_OF_FIRST) : "memory");
    __asm__ volatile("int %0" : : "i"(IRQ_BASE_VECTOR + LAST_OF_SECOND) : "memory");
    TEST_CHECK(t, irq_spurious_count() == spurious + 2,
               "%u of 2 interrupts were taken for spurious", irq_spurious_count() - spurious);
    TEST_CHECK(t, irq_count(LAST_OF_FIRST) + irq_count(LAST_OF_SECOND) == real,
               "a spurious interrupt was taken for a real one");
    irq_check_service(t, "after spurious interrupts");
}

void irq_judge_withdrawn(struct test *t, unsigned line, uint32_t spurious, uint32_t real)
{
    spurious = irq_spurious_count() - spurious;
    real = irq_count(line) - real;
    test_log(t, "line %u, request withdrawn before it was acknowledged: %s", line,
             spurious ? "spurious interrupt"
             : real   ? "interrupt all the same"
                      : "no interrupt");
    TEST_CHECK(t, spurious + real <= 1, "%u spurious and %u real interrupts of one request",
               spurious, real);
    irq_check_service(t, "after a request was withdrawn");
}

/*
 * The timer's request, an edge. An 8259A whose request went away answers with 7; QEMU's has kept
 * the edge, and answers with 0.
 */
static void case_withdrawn_timer(struct test *t)
{
    uint32_t spurious = irq_spurious_count(), real, flags;

    if (!irq_watch(t, PIT_IRQ_LINE, 0, true))
        return;
    flags = irq_save();
    real = irq_count(PIT_IRQ_LINE);
    pit_start(TICK_HZ);
    delay_us(IRQ_SETTLE_US);
    pit_stop();
    irq_restore(flags);
    delay_us(IRQ_SETTLE_US);
    irq_judge_withdrawn(t, PIT_IRQ_LINE, spurious, real);
    pit_start(TICK_HZ);
    TEST_CHECK(t, wait_tick(), "no tick in %u ms after it", TICK_LIMIT_MS);
    pit_stop();
    irq_unwatch(PIT_IRQ_LINE, 0);
}

/* An edge comes once: who is not asked then has lost it. */
static void case_all_handlers(struct test *t)
{
    if (!irq_watch(t, PIT_IRQ_LINE, 0, true))
        return;
    if (irq_watch(t, PIT_IRQ_LINE, 1, true)) {
        pit_start(TICK_HZ);
        TEST_CHECK(t, wait_tick(), "no tick in %u ms", TICK_LIMIT_MS);
        pit_stop();
        delay_us(IRQ_SETTLE_US);
        TEST_CHECK(t, irq_watched(0) == irq_watched(1),
                   "of two handlers of a line, one was asked %u times, one %u", irq_watched(0),
                   irq_watched(1));
        irq_unwatch(PIT_IRQ_LINE, 1);
    }
    irq_unwatch(PIT_IRQ_LINE, 0);
}

/*
 * A line whose interrupts nobody owns is masked, stays so, and works again when it is allowed to.
 * The storm is made by the processor: no timer is as quick everywhere.
 */
static void case_storm(struct test *t)
{
    uint32_t calls;

    if (!irq_watch(t, PIT_IRQ_LINE, 0, false))
        return;
    for (unsigned i = 0; i < STORM_MOST && !irq_is_stuck(PIT_IRQ_LINE); i++)
        __asm__ volatile("int %0" : : "i"(IRQ_BASE_VECTOR + PIT_IRQ_LINE) : "memory");
    calls = irq_watched(0);
    TEST_CHECK(t, irq_is_stuck(PIT_IRQ_LINE), "%u interrupts of nobody, and the line is open",
               calls);
    pit_start(TICK_HZ);
    delay_us(2 * IRQ_SETTLE_US);
    TEST_CHECK(t, irq_watched(0) == calls, "%u interrupts of a line that is masked",
               irq_watched(0) - calls);
    TEST_CHECK(t, irq_request(PIT_IRQ_LINE, on_line, &watchers[1], "late") == -EIO,
               "a stuck line could be had");
    watchers[0].owns = true;
    irq_unstick(PIT_IRQ_LINE);
    TEST_CHECK(t, wait_tick(), "no tick in %u ms after the storm", TICK_LIMIT_MS);
    pit_stop();
    irq_unwatch(PIT_IRQ_LINE, 0);
    irq_check_service(t, "after a storm");
}

/* A device of no hardware that answers as it is told. */
static struct {
    struct dma_client client;
    struct device dev;
    int err;
    unsigned calls;
} fake;

static int fake_read(struct dma_client *client, uint64_t dev_offset, struct page *page,
                     uint32_t offset, uint32_t bytes)
{
    fake.calls++;
    return client_error(client, fake.err, "status 0x%x", fake.calls);
}

static void make_fake(void)
{
    memset(&fake, 0, sizeof(fake));
    fake.dev.name = "fake";
    fake.client = (struct dma_client){.name = "fake", .dev = &fake.dev, .read = fake_read};
}

static void ask_fake(struct test *t, int answer, int wanted)
{
    int err;

    fake.err = answer;
    err = client_read(&fake.client, 0, NULL, 0, 1);
    TEST_CHECK(t, err == wanted, "answer %d gave error %d, not %d", -answer, -err, -wanted);
}

/* True once it is in quarantine, if it goes there within `most` answers that are bad by turns. */
static bool goes_by_turns(struct test *t, int bad, unsigned most)
{
    make_fake();
    for (unsigned i = 0; i < most && !fake.client.quarantined; i++) {
        ask_fake(t, bad, bad);
        if (!fake.client.quarantined)
            ask_fake(t, 0, 0);
    }
    return fake.client.quarantined;
}

static void check_bad_answer(struct test *t, int bad)
{
    /* One now and then is what a machine may have, for ever. */
    make_fake();
    for (unsigned i = 0; i < NOW_AND_THEN; i++) {
        int answer = (i % (CLIENT_BAD_WEIGHT + 1)) ? 0 : bad;

        ask_fake(t, answer, answer);
    }
    TEST_CHECK(t, !fake.client.quarantined, "answer %d: quarantined for each %uth", -bad,
               CLIENT_BAD_WEIGHT + 1);
    make_fake();
    for (unsigned i = 0; i < CLIENT_MAX_BAD; i++) {
        TEST_CHECK(t, !fake.client.quarantined, "answer %d: quarantined after %u", -bad, i);
        ask_fake(t, bad, bad);
    }
    fake.calls = 0;
    ask_fake(t, 0, -ENODEV);
    TEST_CHECK(t, fake.calls == 0, "answer %d: a device in quarantine was asked", -bad);
    TEST_CHECK(t, goes_by_turns(t, bad, 2 * CLIENT_MAX_BAD),
               "answer %d: not quarantined for each second of %u", -bad, 4 * CLIENT_MAX_BAD);
}

/* No answer, and one that can't be; a bad medium speaks against nobody. */
static void case_quarantine(struct test *t)
{
    check_bad_answer(t, -ETIMEDOUT);
    check_bad_answer(t, -EPROTO);
    TEST_CHECK(t, !goes_by_turns(t, -EIO, NOW_AND_THEN), "quarantined for a bad medium");
    make_fake();
    TEST_CHECK(t,
               client_judge_residue(&fake.client, 0, IRQ_BYTES) == 0 &&
                   client_judge_residue(&fake.client, 1, IRQ_BYTES) == -EPROTO &&
                   client_judge_residue(&fake.client, IRQ_BYTES + 1, IRQ_BYTES) == -EPROTO,
               "bytes that are left are judged wrongly");
}

static const struct test_case cases[] = {
    {"spurious", case_spurious},
    {"withdrawn_timer", case_withdrawn_timer},
    {"all_handlers", case_all_handlers},
    {"storm", case_storm},
    {"quarantine", case_quarantine},
    {"devices", irq_case_devices},
    {"shared_line", irq_case_shared_line},
    {"withdrawn_device", irq_case_withdrawn_device},
    {"stale_request", irq_case_stale_request},
    {"neighbours_storm", irq_case_neighbours_storm},
    {"never_withdrawn", irq_case_never_withdrawn},
    {"lost", irq_case_lost},
    {"falls_off", irq_case_falls_off},
    {"counts", irq_case_counts},
};

SUITE(irq) = {
    .name = "irq",
    .about = "interrupts of devices, and those that fail to come or to stop",
    .rank = SUITE_RANK_WINDOWS,
    .cases = cases,
    .nr_cases = ARRAY_SIZE(cases),
    .abandon = abandon,
};
