/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/dma.h"

/* A host tool that sees a driver. */
