/* SPDX-License-Identifier: BSD-2-Clause */
#include "ci/model/access.h"

#include <stdint.h>

/* What the compiler calls in the code under test (clang: SanitizerCoverage). */

#define ACCESS_HOOK(name)      \
    void name(const void *at); \
    void name(const void *at)  \
    {                          \
        (void)at;              \
        model_before_access(); \
    }

ACCESS_HOOK(__sanitizer_cov_load1)
ACCESS_HOOK(__sanitizer_cov_load2)
ACCESS_HOOK(__sanitizer_cov_load4)
ACCESS_HOOK(__sanitizer_cov_load8)
ACCESS_HOOK(__sanitizer_cov_load16)
ACCESS_HOOK(__sanitizer_cov_store1)
ACCESS_HOOK(__sanitizer_cov_store2)
ACCESS_HOOK(__sanitizer_cov_store4)
ACCESS_HOOK(__sanitizer_cov_store8)
ACCESS_HOOK(__sanitizer_cov_store16)

/* Comes with the same option, and is needed by the fuzzer alone, which brings its own. */
__attribute__((weak)) void __sanitizer_cov_trace_pc_guard(uint32_t *guard);
void __sanitizer_cov_trace_pc_guard(uint32_t *guard)
{
    (void)guard;
}

__attribute__((weak)) void __sanitizer_cov_trace_pc_guard_init(uint32_t *start, uint32_t *stop);
void __sanitizer_cov_trace_pc_guard_init(uint32_t *start, uint32_t *stop)
{
    (void)start;
    (void)stop;
}
