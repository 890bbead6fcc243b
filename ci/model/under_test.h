/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_MODEL_UNDER_TEST_H
#define CI_MODEL_UNDER_TEST_H

/*
 * The code under test, in one unit that alone is compiled with a call before each access to memory,
 * and what the model needs to see of its state.
 */

#include <stdbool.h>

struct page;

void *under_test_kmap(struct page *page);
void under_test_kunmap(struct page *page);
void *under_test_kmap_local(struct page *page);
void under_test_kunmap_local(const void *addr);

/* As when the payload starts. */
void under_test_start(void);

/* How many windows are kept for threads that were woken, and for how many it thinks it has to care.
 */
unsigned under_test_kept(void);

#endif
