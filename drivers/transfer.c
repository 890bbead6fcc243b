/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/transfer.h"
#include "drivers/isa_dma.h"
#include "drivers/pci.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"

#define MAX_CLIENTS 24u
#define MAX_RESULTS 64u

/* All written at probe time only, by the one thread that probes. */
static struct dma_client *clients[MAX_CLIENTS];
static unsigned nr_clients;
static struct probe_result results[MAX_RESULTS];
static unsigned nr_results;
static void (*result_hook)(const struct probe_result *result);

void dma_client_register(struct dma_client *client)
{
    if (nr_clients < MAX_CLIENTS)
        clients[nr_clients++] = client;
}

unsigned dma_client_count(void)
{
    return nr_clients;
}

struct dma_client *dma_client_at(unsigned index)
{
    return index < nr_clients ? clients[index] : NULL;
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
    client->quarantined = true;
    if (client->quiet)
        client->quiet(client);
    probe_report(client->name, error, "quarantined: %s", client->reason);
    return error;
}

/* Keeps the score of a device's answers. */
static int judge(struct dma_client *client, int err)
{
    char reason[DMA_CLIENT_REASON_BYTES];
    const struct pci_device *pdev = err ? pci_device_of(client->dev) : NULL;
    uint32_t identity;

    if (pdev && pci_is_gone(pdev, &identity))
        return client_quarantine(client, err, "%s has left the bus, its identity reads 0x%08x",
                                 pdev->name, identity);
    if (err != -ETIMEDOUT) {
        client->timeouts = 0;
        return err;
    }
    if (++client->timeouts < CLIENT_MAX_TIMEOUTS)
        return err;
    memcpy(reason, client->reason, sizeof(reason));
    return client_quarantine(client, err, "no answer %u times: %s", client->timeouts, reason);
}

int client_read(struct dma_client *client, uint64_t dev_offset, struct page *page, uint32_t offset,
                uint32_t bytes)
{
    if (client->quarantined)
        return -ENODEV;
    return judge(client, client->read(client, dev_offset, page, offset, bytes));
}

int client_write(struct dma_client *client, uint64_t dev_offset, struct page *page, uint32_t offset,
                 uint32_t bytes)
{
    if (client->quarantined)
        return -ENODEV;
    return judge(client, client->write(client, dev_offset, page, offset, bytes));
}

int client_read_pio(struct dma_client *client, uint64_t dev_offset, void *buf, uint32_t bytes)
{
    if (client->quarantined)
        return -ENODEV;
    return judge(client, client->read_pio(client, dev_offset, buf, bytes));
}

int client_loop(struct dma_client *client, struct page *from, uint32_t from_offset, struct page *to,
                uint32_t to_offset, uint32_t bytes)
{
    if (client->quarantined)
        return -ENODEV;
    return judge(client, client->loop(client, from, from_offset, to, to_offset, bytes));
}

void probe_report(const char *driver, int result, const char *fmt, ...)
{
    struct probe_result overflow = {0};
    struct probe_result *r = nr_results < MAX_RESULTS ? &results[nr_results++] : &overflow;
    va_list args;

    r->driver = driver;
    r->result = result;
    va_start(args, fmt);
    vformat(r->text, sizeof(r->text), fmt, args);
    va_end(args);
    if (result_hook)
        result_hook(r);
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

void devices_probe(void)
{
    int found = isa_dma_init();

    if (found < 0)
        probe_report("isa_dma", found, "no 8237 DMA controller answers at ports 0 to 0xdf");
    table_for_each (isa_driver, struct isa_driver, driver)
        driver->probe();
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
}
