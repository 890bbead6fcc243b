/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/transfer.h"
#include "drivers/avoid.h"
#include "drivers/isa_dma.h"
#include "drivers/pci.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/inject.h"
#include "lib/string.h"
#include "paging/preempt.h"

#define MAX_RESULTS 96u

/* Clients are written at probe time only, by the one thread that probes. */
static struct dma_client *clients[DMA_MAX_CLIENTS];
static unsigned nr_clients;
static struct probe_result results[MAX_RESULTS];
static unsigned nr_results;
static void (*result_hook)(const struct probe_result *result);
static void (*probe_announcer)(const char *driver, const char *where);

void dma_client_register(struct dma_client *client)
{
    if (nr_clients < DMA_MAX_CLIENTS)
        clients[nr_clients++] = client;
    else
        probe_report(client->name, -ENOSPC, "left out of every test: more than %u devices",
                     DMA_MAX_CLIENTS);
}

unsigned dma_client_count(void)
{
    return nr_clients;
}

struct dma_client *dma_client_at(unsigned index)
{
    return index < nr_clients ? clients[index] : NULL;
}

void client_name_format(char *name, size_t size, const char *driver, unsigned index)
{
    if (index == 0 || inject(loop_same_name, dma_rules))
        format(name, size, "%s", driver);
    else
        format(name, size, "%s_%u", driver, index + 1);
}

int client_error(struct dma_client *client, int error, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vformat(client->reason, sizeof(client->reason), fmt, args);
    va_end(args);
    return error;
}

int client_quarantine(struct dma_client *client, int error, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vformat(client->reason, sizeof(client->reason), fmt, args);
    va_end(args);
    if (client->quarantined)
        return error;
    client->quarantined = !inject(client_forget_quarantine, irq);
    if (client->quiet)
        client->quiet(client);
    probe_report(client->name, error, "quarantined: %s", client->reason);
    return error;
}

void client_readmit(struct dma_client *client)
{
    client->quarantined = false;
    client->told_lost = false;
    client->distrust = client->silent = client->wrong = 0;
    if (client->completion)
        completion_forgive(client->completion);
}

int client_judge_residue(struct dma_client *client, uint32_t left, uint32_t bytes)
{
    if (left > bytes)
        return client_error(client, -EPROTO, "%u bytes left of %u, which can't be", left, bytes);
    if (left)
        return client_error(client, -EPROTO, "%u bytes left of %u", left, bytes);
    return 0;
}

/* Keeps the score of a device's answers, see transfer.h. Returns whether it has gone too far. */
static bool lose_trust(struct dma_client *client, int err)
{
    bool silent = err == -ETIMEDOUT;
    bool answered = err == 0 || err == -EIO || err == -ENXIO || err == -EROFS;

    if (answered && inject(client_forgive_at_once, irq))
        client->distrust = 0;
    if (answered && client->distrust > 0)
        client->distrust--;
    if (client->distrust == 0)
        client->silent = client->wrong = 0;
    if (!silent && (err != -EPROTO || inject(client_believe_nonsense, irq)))
        return false;
    client->distrust += CLIENT_BAD_WEIGHT;
    client->silent += silent;
    client->wrong += !silent;
    return client->distrust >= CLIENT_MAX_BAD * CLIENT_BAD_WEIGHT;
}

static int quarantine_for_answers(struct dma_client *client, int err)
{
    char reason[DMA_CLIENT_REASON_BYTES];

    memcpy(reason, client->reason, sizeof(reason));
    if (!client->wrong)
        return client_quarantine(client, err, "no answer %u times: %s", client->silent, reason);
    if (!client->silent)
        return client_quarantine(client, err, "nonsense %u times: %s", client->wrong, reason);
    return client_quarantine(client, err, "no answer %u times, nonsense %u times: %s",
                             client->silent, client->wrong, reason);
}

/* deaf: nobody is to learn of its end, see struct completion. */
static void begin_work(struct dma_client *client, bool deaf)
{
    struct pci_device *pdev = pci_device_of(client->dev);

    if (client->completion)
        client->completion->deaf = deaf;
    if (pdev)
        pci_begin_work(pdev);
}

/* Its own errors, and that it must not be able to reach memory any more. */
static int end_work(struct dma_client *client, struct pci_device *pdev, int err)
{
    char reason[DMA_CLIENT_REASON_BYTES];

    if (!pdev || !pci_end_work(pdev))
        return err;
    memcpy(reason, client->reason, sizeof(reason));
    return client_error(client, -EPROTO, "%s was left bus master%s%s", pdev->name,
                        err ? " after: " : "", err ? reason : "");
}

/* What becomes of a transfer and its device. -EAGAIN: the transfer is to be made again, once. */
static int judge(struct dma_client *client, int err)
{
    struct completion *c = client->completion;
    struct pci_device *pdev = pci_device_of(client->dev);
    uint32_t identity;

    err = end_work(client, pdev, err);
    if (err && pdev && pci_is_gone(pdev, &identity))
        return client_quarantine(client, err, "%s has left the bus, its identity reads 0x%08x",
                                 pdev->name, identity);
    if (client->quarantined)
        return err ? err : -EIO;
    if (c && c->storm)
        return client_quarantine(client, -EIO, "storm: %u interrupts on line %u in one transfer",
                                 c->in_this_wait, c->line);
    /* Its driver may have made the transfer again by itself. */
    if (c && c->lost && !client->told_lost) {
        client->told_lost = true;
        probe_report(client->name, -ETIMEDOUT, "asked from now on, line %u is silent%s%s", c->line,
                     err ? ": " : "", err ? client->reason : "");
        return err ? -EAGAIN : 0;
    }
    if (lose_trust(client, err))
        return quarantine_for_answers(client, err);
    return err == -EAGAIN ? -EBUSY : err;
}

/* Makes a transfer, and again if judge() says so; of a device in quarantine none. */
#define JUDGED(client, deaf, operation)                         \
    ({                                                          \
        int result = (client)->quarantined ? -ENODEV : -EAGAIN; \
        while (result == -EAGAIN) {                             \
            begin_work(client, deaf);                           \
            result = judge(client, operation);                  \
        }                                                       \
        result;                                                 \
    })

int client_read(struct dma_client *client, uint64_t dev_offset, struct page *page, uint32_t offset,
                uint32_t bytes)
{
    return JUDGED(client, inject(client_never_answers, dma_bounce),
                  client->read(client, dev_offset, page, offset, bytes));
}

int client_write(struct dma_client *client, uint64_t dev_offset, struct page *page, uint32_t offset,
                 uint32_t bytes)
{
    return JUDGED(client, inject(client_never_answers, dma_bounce),
                  client->write(client, dev_offset, page, offset, bytes));
}

int client_read_pio(struct dma_client *client, uint64_t dev_offset, void *buf, uint32_t bytes)
{
    return JUDGED(client, inject(client_never_answers, dma_bounce),
                  client->read_pio(client, dev_offset, buf, bytes));
}

int client_loop(struct dma_client *client, struct page *from, uint32_t from_offset, struct page *to,
                uint32_t to_offset, uint32_t bytes)
{
    return JUDGED(client, inject(client_never_loops, dma_loop),
                  client->loop(client, from, from_offset, to, to_offset, bytes));
}

int client_send(struct dma_client *client, struct page *page, uint32_t offset, uint32_t bytes)
{
    return JUDGED(client, inject(client_never_sounds, dma_sound),
                  client->send(client, page, offset, bytes));
}

int client_capture(struct dma_client *client, struct page *page, uint32_t offset, uint32_t bytes)
{
    return JUDGED(client, inject(client_never_sounds, dma_sound),
                  client->capture(client, page, offset, bytes));
}

int client_work(struct dma_client *client, struct page *page, uint32_t offset, uint32_t bytes)
{
    return JUDGED(client, inject(client_never_works, uhci),
                  client->work(client, page, offset, bytes));
}

void probe_report(const char *driver, int result, const char *fmt, ...)
{
    struct probe_result overflow = {0};
    struct probe_result *r = &overflow;
    va_list args;

    /* Of threads that have something to say at once, one after the other is listened to. */
    preempt_disable();
    if (nr_results < MAX_RESULTS)
        r = &results[nr_results++];

    r->driver = driver;
    r->result = result;
    va_start(args, fmt);
    vformat(r->text, sizeof(r->text), fmt, args);
    va_end(args);
    if (result_hook)
        result_hook(r);
    preempt_enable();
}

unsigned probe_result_count(void)
{
    return nr_results;
}

const struct probe_result *probe_result_at(unsigned index)
{
    return index < nr_results ? &results[index] : NULL;
}

void probe_set_hook(void (*hook)(const struct probe_result *result))
{
    result_hook = hook;
}

void probe_set_announcer(void (*announcer)(const char *driver, const char *where))
{
    probe_announcer = announcer;
}

void probe_announce(const char *driver, const char *where)
{
    if (probe_announcer)
        probe_announcer(driver, where);
}

/* Whether to go on, which is told. */
static bool may_probe(const char *driver)
{
    if (avoid_matches(driver)) {
        avoid_report(driver, NULL);
        return false;
    }
    probe_announce(driver, NULL);
    return true;
}

void devices_probe(void)
{
    int found;

    if (may_probe("isa_dma") && isa_dma_init() < 0)
        probe_report("isa_dma", -ENODEV, "no 8237 DMA controller answers at ports 0 to 0xdf");
    table_for_each (isa_driver, struct isa_driver, driver) {
        if (may_probe(driver->name))
            driver->probe();
    }
    if (!may_probe("pci"))
        return;
    found = pci_init();
    if (found < 0)
        probe_report("pci", found, "no configuration mechanism 1 at port 0xcf8");
    if (found > 0) {
        pci_stop_masters();
        pci_probe_drivers();
    }
}

void devices_quiet(void)
{
    for (unsigned i = 0; i < nr_clients; i++) {
        if (clients[i]->quiet)
            clients[i]->quiet(clients[i]);
    }
    pci_forget_work();
}
