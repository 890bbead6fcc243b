/* SPDX-License-Identifier: BSD-2-Clause */
#include "paging/tlb.h"

struct tlb_counters tlb_counters;
