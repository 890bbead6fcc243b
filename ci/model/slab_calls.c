/* SPDX-License-Identifier: BSD-2-Clause */
#include "ci/model/slab_calls.h"

void *call_kmalloc(size_t size, gfp_t gfp)
{
    return kmalloc(size, gfp);
}

void call_kfree(const void *object)
{
    kfree(object);
}

void *call_cache_alloc(struct kmem_cache *cache, gfp_t gfp)
{
    return kmem_cache_alloc(cache, gfp);
}

void call_cache_free(struct kmem_cache *cache, void *object)
{
    kmem_cache_free(cache, object);
}
