/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libFuzzer's way into the model of ci/model/kmap_model.h: bytes are operations, three each. What
 * the model notices ends the program, after the lines that reproduce it.
 *
 * FUZZ_BROKEN=MUTATION in the environment breaks the code under test, to see that it is found.
 */
#include <stdio.h>
#include <stdlib.h>

#include "ci/model/kmap_model.h"

#define BYTES_PER_OP 3u
#define OPS_MAX 1024u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* thread and event, kind and page, at */
static struct op decode(const uint8_t *bytes)
{
    return (struct op){
        .thread = bytes[0] % MODEL_THREADS,
        .event = bytes[0] / MODEL_THREADS % NR_EVENTS,
        .kind = bytes[1] % NR_OP_KINDS,
        .page = (uint8_t)(bytes[1] / NR_OP_KINDS % MODEL_PAGES),
        .at = bytes[2] % 32u,
    };
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct op ops[OPS_MAX];
    struct model_result result;
    size_t count = 0;

    for (; size >= BYTES_PER_OP && count < OPS_MAX; size -= BYTES_PER_OP, data += BYTES_PER_OP)
        ops[count++] = decode(data);
    if (model_run(ops, count, getenv("FUZZ_BROKEN"), &result))
        return 0;
    printf("    /* %s */\n", result.text);
    model_print(ops, result.done);
    fflush(stdout);
    abort();
}
