// SPDX-License-Identifier: BSD-2-Clause
#include "ci/runner/run.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "ci/runner/emulator.h"
#include "ci/runner/files.h"
#include "ci/runner/host.h"
#include "ci/runner/media.h"
#include "ci/runner/monitor.h"
#include "ci/runner/oracle.h"
#include "ci/runner/report.h"
#include "ci/runner/sound.h"
#include "ci/runner/watch.h"
#include "ci/runner/wire.h"

#define POLL_MS 50

/* A guest may take what the host has, but not the last of it: other programs live there too. */
#define HOST_RESERVE_BYTES (UINT64_C(1) << 30)
#define HOST_CHECK_S 0.25

static bool host_is_short(double *checked, double now)
{
    if (now - *checked < HOST_CHECK_S)
        return false;
    *checked = now;
    return host_memory_available() < HOST_RESERVE_BYTES;
}

/* Is there a reason to end the emulator now? */
static bool must_end(const struct watch *watch, const struct machine *machine, double *host_checked,
                     enum ending *ending)
{
    double now = process_clock();

    if (watch_is_over(watch, machine, ending))
        return true;
    if (watch->ktap->started && now - watch->newest_byte > machine->silence_s)
        *ending = ENDING_SILENCE;
    else if (host_is_short(host_checked, now))
        *ending = ENDING_NO_MEMORY;
    else
        return false;
    return true;
}

static enum ending follow(struct watch *watch, const struct machine *machine, struct live *live)
{
    enum ending ending = ENDING_SELF;
    double host_checked = 0;

    for (;;) {
        bool ended = process_poll(&watch->process);

        /* After the end has been seen, so that nothing that was written before it is missed. */
        watch_serial(watch);
        if (ended)
            return ENDING_SELF;
        oracle_tick(watch->oracle);
        monitor_tick(watch->monitor);
        live_tick(live, watch->ktap);
        if (must_end(watch, machine, &host_checked, &ending))
            break;
        process_sleep(POLL_MS);
    }
    process_end(&watch->process);
    watch_serial(watch);
    return ending;
}

static int check_needs(const struct machine *machine, const char *build, char **message)
{
    const char *const *needs = machine_needs(machine);

    for (size_t i = 0; needs[i]; i++) {
        char *path = text("%s/%s", build, needs[i]);
        bool there = !access(path, R_OK);

        if (!there)
            *message = text("%s is missing", path);
        free(path);
        if (!there)
            return -ENOENT;
    }
    return 0;
}

static int make_command(const struct machine *machine, const struct run_files *files,
                        const char *options, struct words *argv, char **message)
{
    if (machine->firmware == FIRMWARE_BOCHS) {
        char *config = bochs_config(machine, files);
        int error = file_write(files->bochsrc, config);

        /* With an oracle its place is taken by a FIFO. */
        if (!error && !machine->oracle)
            error = file_write(files->bochs_script, BOCHS_SCRIPT);
        if (error)
            *message = text("%s: %s", files->bochsrc, strerror(-error));
        free(config);
        bochs_command(machine, files, argv);
        return error;
    }
    if (!qemu_command(machine, files, options, argv)) {
        *message = text("QEMU_EXTRA: a quote is not closed");
        return -EINVAL;
    }
    return 0;
}

static void keep_command(const struct run_files *files, const struct words *argv)
{
    char *line = words_join(argv);
    char *content = text("%s\n", line);

    file_write(files->command, content);
    free(content);
    free(line);
}

static void announce(const struct machine *machine, const struct run_files *files,
                     const char *options, struct live *live)
{
    char *mem = size_text(machine->mem_bytes);

    live_say(live, "%s: %s, cpu %s, %s, options \"%s\", in %s", machine->name,
             firmware_name(machine->firmware), machine_cpu(machine), mem, options, files->dir);
    if (machine->beyond_host)
        live_say(live,
                 "%s is more than this host can back: memory is not reserved, and the payload "
                 "looks at a sample of it (depth=sparse)",
                 mem);
    free(mem);
}

static unsigned process_flags(const struct machine *machine, const char *options)
{
    unsigned flags = machine->firmware == FIRMWARE_BOCHS ? PROCESS_TERMINAL : 0;

    return strstr(options, "depth=sparse") ? flags | PROCESS_SMALL_PAGES : flags;
}

/* Starts the emulator and follows it to its end. Returns 0, or a negative errno with *message. */
static int play(const struct machine *machine, const struct run_files *files, struct live *live,
                struct ktap *ktap, struct evidence *evidence, char **message)
{
    struct watch watch;
    struct words argv = {0};
    char *options = machine_options(machine);

    watch_init(&watch, ktap, files);
    int error = media_make(files, machine, options, message);
    if (!error)
        error = make_command(machine, files, options, &argv, message);
    if (!error)
        error = oracle_open(&watch.oracle, machine, files, message);
    if (!error) {
        keep_command(files, &argv);
        announce(machine, files, options, live);
        watch.started = process_clock();
        watch.monitor = monitor_open(machine, files);
        error = process_start(&watch.process, &argv, files->emulator_log,
                              process_flags(machine, options));
        if (error)
            *message = text("%s: %s", argv.at[0], strerror(-error));
    }
    if (!error) {
        evidence->ending = follow(&watch, machine, live);
        evidence->status = evidence->ending == ENDING_SELF ? watch.process.status : 0;
        oracle_finish(watch.oracle, &evidence->oracle);
    }
    oracle_close(watch.oracle);
    monitor_close(watch.monitor, &evidence->oracle);
    watch_close(&watch);
    words_free(&argv);
    free(options);
    return error;
}

void run_begin(struct run_result *result, struct live *live)
{
    *result = (struct run_result){.result = RESULT_CANT};
    ktap_init(&result->ktap);
    result->ktap.listener = live_listen;
    result->ktap.ctx = live;
}

void run_cant(struct run_result *result, char *why)
{
    words_add(&result->judgement.problems, "%s", why);
    free(why);
    result->judgement.result = RESULT_CANT;
}

static void write_reports(const struct machine *machine, const struct run_files *files,
                          struct run_result *result)
{
    const struct report report = {
        .ktap = &result->ktap,
        .judgement = &result->judgement,
        .machine = machine,
        .name = machine->name,
        .command = result->command,
        .seconds = result->seconds,
    };
    const struct {
        int (*write)(const struct report *report, const char *path);
        const char *path;
    } formats[] = {{report_write_junit, files->xml},
                   {report_write_json, files->json},
                   {report_write_html, files->html}};

    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        int error = formats[i].write(&report, formats[i].path);

        if (!error)
            continue;
        unlink(formats[i].path); /* rather none than half of one */
        run_cant(result, text("%s: %s", formats[i].path, strerror(-error)));
    }
}

/* A disk that is full cuts logs without a word. */
static void say_if_disk_full(const char *dir, struct words *problems)
{
    struct statvfs disk;

    if (!statvfs(dir, &disk) && !disk.f_bavail)
        words_add(problems, "no space is left on the disk of %s", dir);
}

void run_machine(struct machine *machine, const char *build, struct live *live,
                 struct run_result *result)
{
    struct run_files files = {.lock = -1};
    struct evidence evidence = {.machine = machine, .ktap = &result->ktap};
    char *message = NULL, *media_changed = NULL;
    double started = process_clock();

    run_begin(result, live);
    if (!machine->name)
        machine->name = text_copy(firmware_name(machine->firmware));
    machine_fit(machine);

    int error = check_needs(machine, build, &message);
    if (!error && (message = bochs_lacks(machine)))
        error = -EINVAL;
    if (!error && *machine->args && !machine_takes_options(machine)) {
        message = text("%s passes no boot options: ARGS can't be given",
                       firmware_name(machine->firmware));
        error = -EINVAL;
    }
    if (!error)
        error = files_open(&files, build, machine->name, &message);
    if (!error)
        error = play(machine, &files, live, &result->ktap, &evidence, &message);
    ktap_finish(&result->ktap, process_clock());
    result->command = machine_repeat_command(machine, result->ktap.seed);
    result->seconds = process_clock() - started;
    if (error) {
        run_cant(result, message);
    } else {
        media_check(&files, machine, &media_changed);
        sound_check(machine, &files, &evidence.sound);
        wire_check(machine, &files, &evidence.wire);
        evidence.media_changed = media_changed;
        judge(&evidence, &result->judgement);
    }
    if (files.lock >= 0) {
        if (result->judgement.result != RESULT_PASS)
            say_if_disk_full(files.dir, &result->judgement.problems);
        write_reports(machine, &files, result);
    }
    result->result = result->judgement.result;
    result->bochs_crashed = !error && machine->firmware == FIRMWARE_BOCHS &&
                            evidence.ending == ENDING_SELF && evidence.status > STATUS_SIGNAL;
    if (files.lock >= 0) {
        result->dir = text_copy(files.dir);
        result->serial = text_copy(files.serial);
        /* A run that went wrong may be looked into by hand; its media stay. */
        if (result->result == RESULT_PASS) {
            media_drop(&files);
            sound_drop(machine, &files);
            wire_drop(machine, &files);
        }
    }
    files_close(&files);
    free(media_changed);
    words_free(&evidence.oracle);
    words_free(&evidence.sound);
    words_free(&evidence.wire);
}

void run_result_free(struct run_result *result)
{
    ktap_free(&result->ktap);
    judgement_free(&result->judgement);
    free(result->dir);
    free(result->serial);
    free(result->command);
}
