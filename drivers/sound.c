/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/sound.h"
#include "drivers/transfer.h"
#include "lib/errno.h"
#include "lib/name_list.h"

/* Longer than all others who may wait need. */
#define CLAIM_LIMIT_MS 20000u

/* Written by sound_set_audible() and, while devices are probed, by drivers that ask. */
static struct name_list audible = {.max = NAME_LIST_MAX, .globs = true};

void sound_set_audible(const char *names)
{
    name_list_read(&audible, names);
}

bool sound_is_audible(const char *name)
{
    return name_list_has(&audible, name);
}

bool sound_unknown(unsigned index, char *text, uint32_t size)
{
    return name_list_unknown(&audible, index, text, size);
}

int sound_check_request(struct dma_client *client, uint32_t offset, uint32_t bytes)
{
    if (bytes == 0 || bytes > client->max_bytes || bytes % client->granule_bytes ||
        offset % client->align_bytes)
        return client_error(client, -EINVAL, "%u bytes at offset 0x%x: not %u to %u by %u", bytes,
                            offset, client->granule_bytes, client->max_bytes,
                            client->granule_bytes);
    return 0;
}

int sound_claim(struct dma_client *client, struct yield_lock *lock)
{
    if (!yield_lock_take(lock, CLAIM_LIMIT_MS))
        return client_error(client, -EBUSY, "the device is in use for %u ms", CLAIM_LIMIT_MS);
    return 0;
}

void sound_unmap(struct device *dev, dma_addr_t addr, uint32_t bytes, uint32_t arrived,
                 enum dma_data_direction dir)
{
    if (dir == DMA_FROM_DEVICE && arrived)
        dma_sync_single_for_cpu(dev, addr, arrived, dir);
    dma_unmap_page_attrs(dev, addr, bytes, dir, DMA_ATTR_SKIP_CPU_SYNC);
}
