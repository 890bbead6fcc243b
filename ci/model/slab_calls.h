/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_MODEL_SLAB_CALLS_H
#define CI_MODEL_SLAB_CALLS_H

/* The inline functions of the slab allocator, in a unit that is compiled like the rest of it. */

#include "paging/slab.h"

void *call_kmalloc(size_t size, gfp_t gfp);
void call_kfree(const void *object);
void *call_cache_alloc(struct kmem_cache *cache, gfp_t gfp);
void call_cache_free(struct kmem_cache *cache, void *object);

#endif
