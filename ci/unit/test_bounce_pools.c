/* SPDX-License-Identifier: BSD-2-Clause */
/* The DMA mapping API when its bounce pools grow, are full, or are out of reach. */
#include "ci/unit/stub_dma.h"
#include "drivers/bounce.h"
#include "drivers/dma_track.h"
#include "paging/wait.h"

/* What is said to be possible is, with empty pools, however far they have grown. */
static void test_largest_mapping(void **state)
{
    dma_addr_t addr;
    uint32_t most;

    (void)state;
    isa.max_segment_bytes = isa.segment_boundary_mask = 0;
    most = dma_max_mapping_size(&isa);
    assert_in_range(most, KIB(128), HIGH_BYTES - 1);
    addr = map(&isa, GIB64(3), most, DMA_TO_DEVICE);
    assert_false(dma_mapping_error(&isa, addr));
    dma_unmap_page(&isa, addr, most, DMA_TO_DEVICE);
}

static struct {
    dma_addr_t addr[1024];
    uint32_t size[1024];
    unsigned count;
} held;

static bool hold(struct device *dev, uint32_t size, unsigned long attrs)
{
    dma_addr_t addr =
        dma_map_page_attrs(dev, phys_to_page(GIB64(5)), 0, size, DMA_TO_DEVICE, attrs);

    if (dma_mapping_error(dev, addr))
        return false;
    assert_true(held.count < ARRAY_SIZE(held.addr));
    held.addr[held.count] = addr;
    held.size[held.count++] = size;
    return true;
}

static void let_go(struct device *dev)
{
    held.count--;
    dma_unmap_page(dev, held.addr[held.count], held.size[held.count], DMA_TO_DEVICE);
}

static void hold_one_too(void)
{
    assert_true(hold(&isa, KIB(64), 0));
}

/* Two threads find the low pool full, and there is place for one more area. */
static void test_pool_grows_for_two(void **state)
{
    struct bounce_pool_info info;

    (void)state;
    do {
        assert_true(hold(&isa, KIB(64), 0));
        assert_true(bounce_pool_info(0, &info));
    } while (info.size_bytes + KIB(256) < info.limit_bytes || info.used_bytes < info.size_bytes);
    assert_int_equal(info.size_bytes + KIB(256), info.limit_bytes);
    fake.while_allocating = hold_one_too;
    assert_true(hold(&isa, KIB(64), 0));
    assert_null(fake.while_allocating);
    assert_true(bounce_pool_info(0, &info));
    assert_int_equal(info.size_bytes, info.limit_bytes);
    assert_int_equal(fake.area_blocks_freed, 1);
    while (held.count > 0)
        let_go(&isa);
}

static void test_full_pool(void **state)
{
    dma_addr_t addr[64];
    unsigned count = 0;

    (void)state;
    while (count < ARRAY_SIZE(addr)) {
        addr[count] = map(&isa, GIB64(3), KIB(64), DMA_TO_DEVICE);
        if (dma_mapping_error(&isa, addr[count]))
            break;
        count++;
    }
    assert_in_range(count, 2, ARRAY_SIZE(addr) - 1);
    assert_int_equal(isa.counters.errors, 1);
    assert_int_equal(isa.counters.findings, 0);
    dma_unmap_page(&isa, addr[1], KIB(64), DMA_TO_DEVICE);
    assert_true(map(&isa, GIB64(3), KIB(64), DMA_TO_DEVICE) == addr[1]);
    while (count-- > 0)
        dma_unmap_page(&isa, addr[count], KIB(64), DMA_TO_DEVICE);
}

/* Threads that sleep for slots: each is a call of this within the one before. */
static unsigned asleep, wakes;
static jmp_buf fault;

static bool sleep_until_freed(struct wait_queue *queue)
{
    struct list_head link;

    list_add_tail(&link, &queue->sleepers);
    switch (asleep++) {
    case 0: /* the first one: another comes, which will find what it wants */
        assert_true(hold(&pci32, KIB(4), DMA_ATTR_MAY_SLEEP));
        return true;
    case 1:
        let_go(&pci32);
        assert_int_equal(wakes, 2);
        return true;
    case 2: /* the first one again */
        list_del(&link);
        longjmp(fault, 1);
    }
    return false;
}

static void wake_sleeper(struct wait_queue *queue)
{
    list_del(queue->sleepers.next);
    wakes++;
}

static void test_sleepers(void **state)
{
    static const struct wait_ops ops = {.sleep = sleep_until_freed, .wake = wake_sleeper};

    (void)state;
    asleep = wakes = 0;
    /* One slot first, so that no large one can be the last. */
    assert_true(hold(&pci32, KIB(4), 0));
    for (uint32_t size = KIB(64); size >= KIB(4); size /= 4) {
        while (hold(&pci32, size, 0))
            ;
    }
    wait_set_ops(&ops);
    if (!setjmp(fault)) {
        hold(&pci32, KIB(8), DMA_ATTR_MAY_SLEEP);
        fail_msg("nobody slept");
    }
    wait_set_ops(NULL);
    assert_int_equal(pci32.quick_pool->waiting, 1);
    while (held.count > 0)
        let_go(&pci32);
    assert_int_equal(dma_check_leaks(NULL), 0);
    assert_int_equal(pci32.quick_pool->waiting, 0);
}

static void test_mask_below_all_pools(void **state)
{
    (void)state;
    isa.dma_mask = DMA_BIT_MASK(20);
    assert_true(dma_mapping_error(&isa, map(&isa, GIB64(3), 64, DMA_TO_DEVICE)));
    assert_int_equal(isa.counters.errors, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DMA_TEST(test_largest_mapping), DMA_TEST(test_pool_grows_for_two),
        DMA_TEST(test_full_pool),       DMA_TEST(test_largest_mapping),
        DMA_TEST(test_sleepers),        DMA_TEST(test_mask_below_all_pools),
    };

    return cmocka_run_group_tests(tests, fake_build, fake_drop);
}
