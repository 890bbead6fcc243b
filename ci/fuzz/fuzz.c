/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libFuzzer's way into a model (ci/model/model.h): bytes are operations, MODEL_OP_BYTES each. What
 * the model notices ends the program, after the lines that reproduce it.
 *
 * FUZZ_BROKEN=MUTATION in the environment breaks the code under test, to see that it is found.
 */
#include <stdio.h>
#include <stdlib.h>

#include "ci/model/model.h"

#define OPS_MAX 1024u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct op ops[OPS_MAX];
    struct model_result result;
    size_t count = 0;

    for (; size >= MODEL_OP_BYTES && count < OPS_MAX;
         size -= MODEL_OP_BYTES, data += MODEL_OP_BYTES)
        ops[count++] = model_decode(data);
    if (model_run(ops, count, getenv("FUZZ_BROKEN"), &result))
        return 0;
    printf("    /* %s */\n", result.text);
    model_print(ops, result.done);
    fflush(stdout);
    abort();
}
