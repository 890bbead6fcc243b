// SPDX-License-Identifier: BSD-2-Clause
/* `make trace`, and the same from a recording. */
#include "ci/trace/commands.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ci/runner/process.h"
#include "ci/trace/callgrind.h"
#include "ci/trace/session.h"
#include "ci/trace/settings.h"
#include "ci/trace/summary.h"

#define PRELOAD "trace-preload.so"

/* What a command works with, from the settings to the files. */
struct job {
    struct settings settings;
    struct image image;
    struct tracer tracer;
    char *image_path, *text_path, *callgrind_path, *command;
    bool begun;
};

static bool has_function(const struct image *image, const char *name)
{
    for (size_t i = 0; i < image->nr_functions; i++) {
        if (!strcmp(image->functions[i], name))
            return true;
    }
    return false;
}

static bool job_open(struct job *job, const struct trace_place *place, char **args)
{
    char *message = NULL;

    *job = (struct job){0};
    bool good = !settings_read(&job->settings, place->build, args);
    job->image_path = text("%s/paeload.debug.elf", place->build);
    job->text_path = text("%s/trace.txt.gz", job->settings.out);
    job->callgrind_path = text("%s/trace.callgrind", job->settings.out);
    job->command = settings_repeat_command(&job->settings);
    if (good && image_open(&job->image, job->image_path, &message))
        good = false;
    if (good && mkdir(job->settings.out, 0777) && errno != EEXIST) {
        message = text("%s: %s", job->settings.out, strerror(errno));
        good = false;
    }
    if (good && job->settings.function && !has_function(&job->image, job->settings.function)) {
        message =
            text("FUNCTION=%s: the payload has no such function, or none that was not inlined",
                 job->settings.function);
        good = false;
    }
    if (message)
        fprintf(stderr, "%s\n", message);
    free(message);
    return good;
}

static void job_close(struct job *job)
{
    if (job->begun)
        tracer_free(&job->tracer);
    image_close(&job->image);
    settings_free(&job->settings);
    free(job->image_path);
    free(job->text_path);
    free(job->callgrind_path);
    free(job->command);
}

/* Once it is known where the image lies: the text begins with what a comparison must know. */
static bool start(void *ctx, uint32_t slide)
{
    struct job *job = ctx;
    char *about = text("paeload trace, image crc32c=%08" PRIx32 " slide=0x%08" PRIx32,
                       job->image.crc32c, slide);

    job->begun = true;
    bool good = !tracer_open_text(&job->tracer, job->text_path);
    if (good) {
        tracer_note(&job->tracer, about);
        tracer_note(&job->tracer, job->command);
    }
    if (job->settings.function)
        profile_watch(&job->tracer.profile, job->settings.function);
    free(about);
    return good;
}

/* Writes what remains to be written and shows the summary. Returns false when that went wrong. */
static bool finish(struct job *job, double seconds)
{
    int error = tracer_close_text(&job->tracer);
    uint64_t count = job->tracer.all.cost.instructions;

    if (!error)
        error = callgrind_write(&job->tracer.profile, job->callgrind_path, job->command);
    if (error) {
        fprintf(stderr, "%s: %s\n", job->settings.out, strerror(-error));
        return false;
    }
    summary_print(stdout, &job->tracer, job->settings.functions);
    summary_print_calls(stdout, &job->tracer.profile);
    printf("\n%s, %s\n%" PRIu64 " instructions in %.1f s: %.1f million a minute\n", job->text_path,
           job->callgrind_path, count, seconds,
           seconds > 0 ? (double)count / seconds * 60 / 1e6 : 0);
    return true;
}

/* Runs it and says what came of it. */
static int run(struct job *job, const struct session_options *options)
{
    struct run_result result;
    struct live live;

    live_start(&live, stdout);
    session_run(&job->settings.machine, options, &job->image, &job->tracer, start, job, &live,
                &result);
    result.command = text_copy(job->command);
    live_end(&live);
    if (!job->tracer.all.cost.instructions && result.ktap.verdict != VERDICT_NONE) {
        words_add(&result.judgement.problems,
                  "nothing was traced: no case matches SUITE=%s CASE=%s", job->settings.suite,
                  job->settings.cases ? job->settings.cases : "*");
        result.result = RESULT_CANT;
    }
    if (job->begun && !finish(job, job->tracer.seconds))
        result.result = RESULT_CANT;
    run_show_end(&job->settings.machine, &result, &live);
    int status = result.result;
    run_result_free(&result);
    return status;
}

int command_run(const struct trace_place *place, char **args)
{
    struct job job;
    char *message = NULL;
    int status = RESULT_CANT;

    if (job_open(&job, place, args)) {
        struct settings *settings = &job.settings;
        char *options = settings_boot_options(settings, &message);
        const char *slash = strrchr(place->program, '/');
        char *preload =
            text("%.*s" PRELOAD, (int)(slash ? slash + 1 - place->program : 0), place->program);
        char *preload_path = realpath(preload, NULL);
        const struct session_options session = {.build = place->build,
                                                .preload = preload_path ? preload_path : "",
                                                .limit = settings->limit,
                                                .case_limit = settings->case_limit};
        if (options) {
            free(settings->machine.args);
            settings->machine.args = options;
            status = run(&job, &session);
        } else {
            fprintf(stderr, "%s\n", message);
        }
        free(preload_path);
        free(preload);
    }
    free(message);
    job_close(&job);
    return status;
}

/* Takes `key=` out of the words, if it is there, and returns its value. */
static const char *take(char **args, const char *key)
{
    const char *value = NULL;
    char **to = args;

    for (; *args; args++) {
        if (!strncmp(*args, key, strlen(key)))
            value = *args + strlen(key);
        else
            *to++ = *args;
    }
    *to = NULL;
    return value;
}

int command_read(const struct trace_place *place, char **args)
{
    const char *path = take(args, "FROM="), *slide = take(args, "SLIDE="),
               *image = take(args, "IMAGE=");
    char *message = NULL;
    struct job job;
    FILE *in = path ? fopen(path, "r") : stdin;
    int status = RESULT_CANT;

    if (!in) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return RESULT_CANT;
    }
    if (job_open(&job, place, args)) {
        if (image) {
            image_close(&job.image);
            image_open(&job.image, image, &message);
        }
        double began = process_clock();
        uint32_t offset = slide ? (uint32_t)strtoul(slide, NULL, 0) : 0xc0000000;

        if (!message) {
            tracer_init(&job.tracer, &job.image, offset);
            if (!start(&job, offset))
                message = text("%s can't be written", job.text_path);
            else
                session_read(in, path ? path : "standard input", &job.tracer, &message);
            if (finish(&job, process_clock() - began) && !message)
                status = RESULT_PASS;
        }
        if (message)
            fprintf(stderr, "%s\n", message);
    }
    free(message);
    job_close(&job);
    if (path)
        fclose(in);
    return status;
}
