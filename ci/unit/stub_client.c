/* SPDX-License-Identifier: BSD-2-Clause */
/* For tests of drivers without drivers/transfer.c: a client's reason. */
#include "ci/unit/unit.h"
#include "drivers/transfer.h"

int client_error(struct dma_client *client, int error, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(client->reason, sizeof(client->reason), fmt, args);
    va_end(args);
    return error;
}
