// SPDX-License-Identifier: BSD-2-Clause
#include "ci/runner/watch.h"

#include <fcntl.h>
#include <unistd.h>

#define LEAVE_GRACE_S 10.0 /* from the verdict to the end of the emulator */
#define STAY_GRACE_S 0.5   /* from the verdict of a payload that stays to its end by us */

void watch_init(struct watch *watch, struct ktap *ktap, const struct run_files *files)
{
    *watch = (struct watch){.ktap = ktap, .files = files, .serial = -1};
}

void watch_serial(struct watch *watch)
{
    char bytes[1 << 14];
    ssize_t length;

    if (watch->serial < 0)
        watch->serial = open(watch->files->serial, O_RDONLY | O_CLOEXEC);
    if (watch->serial < 0)
        return;
    while ((length = read(watch->serial, bytes, sizeof(bytes))) > 0) {
        watch->newest_byte = process_clock();
        ktap_feed(watch->ktap, bytes, (size_t)length, watch->newest_byte);
        oracle_feed(watch->oracle, bytes, (size_t)length);
        monitor_feed(watch->monitor, bytes, (size_t)length);
    }
    if (watch->ktap->verdict != VERDICT_NONE && !watch->verdict_at)
        watch->verdict_at = process_clock();
}

bool watch_is_over(const struct watch *watch, const struct machine *machine, enum ending *ending)
{
    double now = process_clock();

    if (process_interrupted())
        *ending = ENDING_INTERRUPTED;
    else if (watch->verdict_at && machine_leave(machine) == LEAVE_HALT &&
             now - watch->verdict_at > STAY_GRACE_S)
        *ending = ENDING_STOPPED;
    else if (watch->verdict_at && now - watch->verdict_at > LEAVE_GRACE_S)
        *ending = ENDING_LINGERED;
    else if (now - watch->started > machine->timeout_s)
        *ending = ENDING_TIMEOUT;
    else
        return false;
    return true;
}

void watch_close(struct watch *watch)
{
    if (watch->serial >= 0)
        close(watch->serial);
    watch->serial = -1;
}
