/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_TESTS_ARENA_CHECK_H
#define PAYLOAD_TESTS_ARENA_CHECK_H

/*
 * What must hold of a buffer in an arena, and of the memory around it, after a transfer. Each is
 * one check of the case, and fails with physical addresses.
 */

#include "payload/suite.h"
#include "payload/tests/dma_arena.h"

/* The pattern on both sides of the buffer is whole. */
bool arena_check_guards(struct test *t, const struct dma_arena *arena, uint32_t offset,
                        uint32_t bytes);

/* The buffer holds `wanted`. `what` names the transfer: "read". */
bool arena_check_contents(struct test *t, const struct dma_arena *arena, uint32_t offset,
                          const uint8_t *wanted, uint32_t bytes, const char *what);

/* At the end of a case, with every buffer painted again: all of the pattern is whole. */
void arenas_check_whole(struct test *t, const struct dma_arena *arenas);

#endif
