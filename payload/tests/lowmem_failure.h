/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PAYLOAD_TESTS_LOWMEM_FAILURE_H
#define PAYLOAD_TESTS_LOWMEM_FAILURE_H

/*
 * What the zones are like when an allocation fails; and whether it had to: without watermarks
 * nothing may keep a free block of an allowed zone from anyone. The rest of it is
 * lab_note_failure().
 */

#include "payload/tests/lowmem_lab.h"

/* Keeps what is free, and in what pieces in the zone `wanted`, seen from failure->order. */
void failure_note_state(struct lab_failure *failure, enum zone_type wanted);

#endif
