/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_STACK_DEPTH_H
#define CI_STACK_DEPTH_H

/* How deep a graph goes that table_resolve() made whole. */

#include "ci/stack/graph.h"
#include "ci/stack/table.h"

/* Names each cycle as a problem. False if there is one; depths mean nothing then. */
bool depth_no_recursion(struct graph *g);

/*
 * The entries of the table with their deepest paths, and then each check: what it adds up to and
 * what its stack has. A check that does not fit is a problem, told with every path in full. With
 * `all`, entries and checks that are right are told as well.
 */
void depth_check(struct graph *g, const struct table *t, bool all);

#endif
