/* SPDX-License-Identifier: BSD-2-Clause */
/* How the answers of a device are judged: quarantine, lost interrupts, storms, residues. */
#include "ci/unit/unit.h"

static void preempt_disable(void)
{
}
static void preempt_enable(void)
{
}
#define PAGING_PREEMPT_H

#include "drivers/transfer.c"

/* No driver: the table is empty. */
__asm__(".data\n"
        ".globl isa_driver_table_start, isa_driver_table_end\n"
        "isa_driver_table_start:\n"
        "isa_driver_table_end:\n"
        ".text\n");

int isa_dma_init(void)
{
    return -ENODEV;
}

int pci_init(void)
{
    return -ENODEV;
}

void pci_stop_masters(void)
{
}

void pci_probe_drivers(void)
{
}

static struct pci_device on_bus = {.name = "00:01.0"};
static bool has_pci, left_master;

struct pci_device *pci_device_of(const struct device *dev)
{
    (void)dev;
    return has_pci ? &on_bus : NULL;
}

void pci_begin_work(struct pci_device *pdev)
{
    pdev->workers++;
}

bool pci_end_work(struct pci_device *pdev)
{
    assert_int_equal(pdev->workers--, 1);
    return left_master;
}

void pci_forget_work(void)
{
}

bool pci_is_gone(const struct pci_device *pdev, uint32_t *value)
{
    (void)pdev;
    *value = 0;
    return false;
}

void completion_forgive(struct completion *c)
{
    c->lost = 0;
    c->storm = c->interrupt_lost = false;
}

static struct {
    struct dma_client client;
    struct completion completion;
    int answer;
    bool loses; /* the interrupt, of the next transfer */
    unsigned calls, quiets, told;
    char last[PROBE_TEXT_BYTES];
} dev;

static int answer(void)
{
    dev.calls++;
    dev.completion.interrupt_lost = dev.loses;
    dev.completion.lost += dev.loses;
    dev.client.completion = &dev.completion;
    if (dev.loses) {
        dev.loses = false;
        return client_error(&dev.client, -ETIMEDOUT, "status 0x50");
    }
    return dev.answer ? client_error(&dev.client, dev.answer, "status 0x%x", dev.calls) : 0;
}

static int dev_read(struct dma_client *client, uint64_t dev_offset, struct page *page,
                    uint32_t offset, uint32_t bytes)
{
    return answer();
}

static int dev_read_pio(struct dma_client *client, uint64_t dev_offset, void *buf, uint32_t bytes)
{
    return answer();
}

static int dev_loop(struct dma_client *client, struct page *from, uint32_t from_offset,
                    struct page *to, uint32_t to_offset, uint32_t bytes)
{
    return answer();
}

static int dev_send(struct dma_client *client, struct page *page, uint32_t offset, uint32_t bytes)
{
    return answer();
}

static void dev_quiet(struct dma_client *client)
{
    dev.quiets++;
}

static void on_result(const struct probe_result *result)
{
    dev.told++;
    snprintf(dev.last, sizeof(dev.last), "%s", result->text);
}

static void start(void)
{
    memset(&dev, 0, sizeof(dev));
    dev.client = (struct dma_client){
        .name = "dev",
        .read = dev_read,
        .write = dev_read,
        .read_pio = dev_read_pio,
        .loop = dev_loop,
        .send = dev_send,
        .capture = dev_send,
        .quiet = dev_quiet,
    };
    dev.completion.line = 11;
    probe_set_hook(on_result);
}

static int read_it(int result)
{
    dev.answer = result;
    return client_read(&dev.client, 0, NULL, 0, 1);
}

static void in_a_row(void **state)
{
    start();
    for (unsigned i = 1; i < CLIENT_MAX_BAD; i++)
        assert_int_equal(read_it(-ETIMEDOUT), -ETIMEDOUT);
    assert_false(dev.client.quarantined);
    assert_int_equal(dev.told, 0);
    assert_int_equal(client_write(&dev.client, 0, NULL, 0, 1), -ETIMEDOUT);
    assert_true(dev.client.quarantined);
    assert_int_equal(dev.quiets, 1);
    assert_int_equal(dev.told, 1);
    assert_string_equal(dev.last, "quarantined: no answer 3 times: status 0x3");
    client_readmit(&dev.client);
    for (unsigned i = 0; i < CLIENT_MAX_BAD; i++)
        assert_int_equal(read_it(-EPROTO), -EPROTO);
    assert_string_equal(dev.last, "quarantined: nonsense 3 times: status 0x6");
    client_readmit(&dev.client);
    assert_int_equal(read_it(-EPROTO), -EPROTO);
    assert_int_equal(read_it(-ETIMEDOUT), -ETIMEDOUT);
    assert_int_equal(read_it(-EPROTO), -EPROTO);
    assert_string_equal(dev.last, "quarantined: no answer 1 times, nonsense 2 times: status 0x9");
}

/* How many answers it takes until a device is out whose each n-th is bad; 0: it stays. */
static unsigned answers_until_out(int bad, unsigned n, int good)
{
    start();
    for (unsigned i = 0; i < 1000; i++) {
        read_it(i % n ? good : bad);
        if (dev.client.quarantined)
            return i + 1;
    }
    return 0;
}

/* Answers that are good, or a bad medium, speak for a device; those that did not ask it don't. */
static void now_and_then(void **state)
{
    assert_int_equal(answers_until_out(-EPROTO, 2, 0), 7);
    assert_int_equal(answers_until_out(-ETIMEDOUT, 3, -EIO), 13);
    assert_int_not_equal(answers_until_out(-EPROTO, CLIENT_BAD_WEIGHT, -EIO), 0);
    assert_int_equal(answers_until_out(-EPROTO, CLIENT_BAD_WEIGHT + 1, 0), 0);
    assert_int_equal(answers_until_out(-ETIMEDOUT, CLIENT_BAD_WEIGHT + 1, -ENXIO), 0);
    assert_int_equal(answers_until_out(-ETIMEDOUT, 20, -EINVAL), 41);
    assert_int_equal(answers_until_out(-EIO, 1, 0), 0);
}

static void nobody_asks_it_then(void **state)
{
    start();
    assert_int_equal(client_quarantine(&dev.client, -EIO, "all ones"), -EIO);
    assert_int_equal(client_quarantine(&dev.client, -EIO, "and again"), -EIO);
    assert_int_equal(dev.told, 1);
    assert_int_equal(dev.quiets, 1);
    dev.answer = 0;
    assert_int_equal(client_read(&dev.client, 0, NULL, 0, 1), -ENODEV);
    assert_int_equal(client_write(&dev.client, 0, NULL, 0, 1), -ENODEV);
    assert_int_equal(client_read_pio(&dev.client, 0, NULL, 1), -ENODEV);
    assert_int_equal(client_loop(&dev.client, NULL, 0, NULL, 0, 1), -ENODEV);
    assert_int_equal(client_send(&dev.client, NULL, 0, 1), -ENODEV);
    assert_int_equal(client_capture(&dev.client, NULL, 0, 1), -ENODEV);
    assert_int_equal(dev.calls, 0);
    client_readmit(&dev.client);
    assert_int_equal(client_read(&dev.client, 0, NULL, 0, 1), 0);
    assert_int_equal(client_loop(&dev.client, NULL, 0, NULL, 0, 1), 0);
    assert_int_equal(client_send(&dev.client, NULL, 0, 1), 0);
    assert_int_equal(dev.calls, 3);
}

/* Once made again and told; never counted as a device that does not answer. */
static void lost_interrupts(void **state)
{
    start();
    dev.loses = true;
    assert_int_equal(read_it(0), 0);
    assert_int_equal(dev.calls, 2);
    assert_int_equal(dev.told, 1);
    assert_non_null(strstr(dev.last, "line 11 is silent: status 0x50"));
    assert_int_equal(dev.client.distrust, 0);
    dev.loses = true;
    assert_int_equal(read_it(0), -ETIMEDOUT);
    assert_int_equal(dev.told, 1);
    /* A driver that says -EAGAIN does not go round for ever. */
    assert_int_equal(read_it(-EAGAIN), -EBUSY);
}

static void storms(void **state)
{
    start();
    dev.client.completion = &dev.completion;
    dev.completion.storm = true;
    dev.completion.in_this_wait = 1000;
    assert_int_equal(read_it(0), -EIO);
    assert_true(dev.client.quarantined);
    assert_string_equal(dev.last, "quarantined: storm: 1000 interrupts on line 11 in one transfer");
    client_readmit(&dev.client);
    assert_int_equal(read_it(0), 0);
}

static void residues(void **state)
{
    start();
    assert_int_equal(client_judge_residue(&dev.client, 0, 512), 0);
    assert_int_equal(client_judge_residue(&dev.client, 512, 512), -EPROTO);
    assert_string_equal(dev.client.reason, "512 bytes left of 512");
    assert_int_equal(client_judge_residue(&dev.client, 513, 512), -EPROTO);
    assert_string_equal(dev.client.reason, "513 bytes left of 512, which can't be");
}

static void left_as_master(void **state)
{
    start();
    has_pci = true;
    assert_int_equal(read_it(0), 0);
    left_master = true;
    assert_int_equal(read_it(0), -EPROTO);
    assert_string_equal(dev.client.reason, "00:01.0 was left bus master");
    assert_int_equal(read_it(-EIO), -EPROTO);
    assert_string_equal(dev.client.reason, "00:01.0 was left bus master after: status 0x3");
    assert_int_equal(read_it(0), -EPROTO);
    assert_true(dev.client.quarantined);
    has_pci = left_master = false;
}

/* The last test: what is registered stays. */
static void too_many(void **state)
{
    static struct dma_client many[DMA_MAX_CLIENTS + 1];

    start();
    for (unsigned i = 0; i < ARRAY_SIZE(many); i++) {
        many[i].name = "many";
        assert_int_equal(dev.told, 0);
        dma_client_register(&many[i]);
    }
    assert_int_equal(dev.told, 1);
    assert_string_equal(dev.last, "left out of every test: more than 48 devices");
    assert_int_equal(dma_client_count(), DMA_MAX_CLIENTS);
    assert_ptr_equal(dma_client_at(DMA_MAX_CLIENTS - 1), &many[DMA_MAX_CLIENTS - 1]);
    assert_null(dma_client_at(DMA_MAX_CLIENTS));
}

/* A quarantine that the driver itself has declared comes out of the transfer. */
static int falls_off(struct dma_client *client, uint64_t dev_offset, struct page *page,
                     uint32_t offset, uint32_t bytes)
{
    dev.calls++;
    client_quarantine(client, -EIO, "off the bus");
    return 0;
}

static void by_the_driver(void **state)
{
    start();
    dev.client.read = falls_off;
    assert_int_equal(read_it(0), -EIO);
    assert_int_equal(read_it(0), -ENODEV);
    assert_int_equal(dev.calls, 1);
    assert_string_equal(dev.client.reason, "off the bus");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_a_row),
        cmocka_unit_test(now_and_then),
        cmocka_unit_test(nobody_asks_it_then),
        cmocka_unit_test(lost_interrupts),
        cmocka_unit_test(storms),
        cmocka_unit_test(residues),
        cmocka_unit_test(left_as_master),
        cmocka_unit_test(by_the_driver),
        cmocka_unit_test(too_many),
    };

    return cmocka_run_group_tests_name("transfer", tests, NULL, NULL);
}
