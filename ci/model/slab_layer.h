/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_MODEL_SLAB_LAYER_H
#define CI_MODEL_SLAB_LAYER_H

/*
 * What each source of the slab allocator is compiled with for the model of the page allocator, as
 * if it were its first line: its pages come and go under the eyes of the model, and its variables
 * are in sections of their own, so that all of them can be set back together.
 */

#include "paging/page_alloc.h"
#include "paging/page_owner.h"
#include "paging/shrinker.h"

/* page_slab.c: as the functions of whose names they take the place. */
struct page *slab_asks(gfp_t gfp, unsigned order);
void *slab_asks_address(gfp_t gfp, unsigned order);
void slab_gives(struct page *page, unsigned order);
void slab_gives_address(const void *addr, unsigned order);
void slab_owns(struct page *page, unsigned id, uint32_t index);
void slab_registers(struct shrinker *asked);

#ifdef SLAB_UNDER_TEST
#define alloc_pages slab_asks
#define __get_free_pages slab_asks_address
#define __free_pages slab_gives
#define free_pages slab_gives_address
#define page_set_owner slab_owns
#define register_shrinker slab_registers

#ifdef __clang__
#pragma clang section bss = "slab_bss" data = "slab_data"
#endif
#endif

#endif
