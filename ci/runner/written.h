/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_RUNNER_WRITTEN_H
#define CI_RUNNER_WRITTEN_H

/*
 * What a run wrote to its media, by its own words: lines of the report such as
 *
 *     # wrote floppy: sectors 100-163
 *
 * They count for a medium that the boot option destructive= names, and then they must be true to
 * the byte: image.h says what those sectors hold. For any other medium nothing may have changed,
 * whatever the report says.
 */

#include <stdbool.h>

#include "ci/runner/image.h"

struct written {
    struct image_range *ranges;
    size_t count;
};

/* Is the medium `name` one of those that destructive= in the boot options `args` names? */
bool written_allowed(const char *args, const char *name);

/* Takes from the report in the file `serial` what was written to `client`. */
void written_read(struct written *written, const char *serial, const char *client);

void written_free(struct written *written);

#endif
