/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_RUNNER_HOST_H
#define CI_RUNNER_HOST_H

/* What the machine that runs the emulators has to give. */

#include <stdint.h>

/* The memory that programs could still get, in bytes; UINT64_MAX when the host does not say. */
uint64_t host_memory_available(void);

#endif
