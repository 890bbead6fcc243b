// SPDX-License-Identifier: BSD-2-Clause
#include "ci/trace/session.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ci/runner/emulator.h"
#include "ci/runner/media.h"
#include "ci/runner/watch.h"

#define READ_BYTES (1u << 20)
#define LINE_MAX_BYTES (1u << 16) /* without an end by then it is no line */
#define POLL_MS 20
#define SERIAL_EVERY_S 0.25
#define PAGE_MASK 0xfffu
#define NO_NAME "unnamed"

/*
 * Slower than the runner's: timers and the serial line then take fewer instructions, and a trace
 * has less waiting in it.
 */
#define BOCHS_EXTRA "magic_break: enabled=1\ncpu: ips=10000000\n"

/* What the debugger is told. */
#define GO "c\n"
#define TRACE_ON "trace on\ntrace-mem on\n"
#define TRACE_OFF "trace off\ntrace-mem off\n"

struct session {
    const struct session_options *options;
    const struct machine *machine;
    const struct image *image;
    struct tracer *tracer;
    session_start start;
    void *ctx;
    struct live *live;
    struct run_files files;
    struct watch watch;
    int commands, output;
    char *buffer;
    size_t filled;
    bool placed; /* the slide is known */
    bool at_magic;
    uint64_t left; /* of the limit */
    char name[STRETCH_NAME_MAX];
    size_t name_length;
    uint32_t mark_begin, mark_end, name_at;
    double serial_read, stretch_began;
    char *problem; /* why the trace ended early, or NULL */
};

static void command(struct session *session, const char *text_to_send)
{
    size_t length = strlen(text_to_send);

    if (write(session->commands, text_to_send, length) != (ssize_t)length && !session->problem)
        session->problem = text("Bochs takes no commands");
}

/* Bochs has stopped at `linear` by a magic break. Is it one of the payload's marks? */
static bool find_mark(struct session *session, uint32_t linear, bool *begins)
{
    const uint32_t marks[] = {session->mark_begin, session->mark_end};

    for (size_t i = 0; i < 2; i++) {
        uint32_t slide = linear - marks[i];

        if (session->placed ? slide != session->tracer->sites.slide : (slide & PAGE_MASK) != 0)
            continue;
        *begins = i == 0;
        if (session->placed)
            return true;
        session->placed = true;
        tracer_init(session->tracer, session->image, slide);
        if (!session->start(session->ctx, slide))
            session->problem = text("the trace can't be written");
        return true;
    }
    return false;
}

/* How many instructions of the stretch the limits allow from here on. */
static uint64_t steps_left(const struct session *session)
{
    const struct tracer *tracer = session->tracer;
    uint64_t taken =
        tracer->is_on ? tracer->stretches[tracer->nr_stretches - 1].cost.instructions : 0;
    uint64_t most =
        session->left < session->options->case_limit ? session->left : session->options->case_limit;

    return taken < most ? most - taken : 0;
}

static void begin_stretch(struct session *session)
{
    uint64_t steps = steps_left(session);
    char commands[128];

    if (!steps) {
        session->tracer->skipped++;
        command(session, GO);
        return;
    }
    session->name_length = 0;
    snprintf(commands, sizeof(commands), "x /%ubx 0x%" PRIx32 "\n" TRACE_ON "s %" PRIu64 "\n",
             STRETCH_NAME_MAX, session->name_at + session->tracer->sites.slide, steps);
    command(session, commands);
}

static void end_stretch(struct session *session, bool cut)
{
    struct tracer *tracer = session->tracer;

    if (tracer->is_on) {
        uint64_t taken = tracer->stretches[tracer->nr_stretches - 1].cost.instructions;

        session->left -= taken < session->left ? taken : session->left;
        tracer_end(tracer, cut);
        tracer->seconds += process_clock() - session->stretch_began;
        command(session, TRACE_OFF);
    }
    command(session, GO);
}

static void on_stop(struct session *session, const struct bochs_line *line)
{
    bool magic = session->at_magic, begins = false;

    session->at_magic = false;
    if (magic && find_mark(session, line->linear, &begins) && begins != session->tracer->is_on) {
        if (begins)
            begin_stretch(session);
        else
            end_stretch(session, false);
        return;
    }
    if (magic && session->tracer->is_on && steps_left(session)) {
        char steps[64];

        /* Somebody else's magic break is a no-op like any other. */
        snprintf(steps, sizeof(steps), "s %" PRIu64 "\n", steps_left(session));
        command(session, steps);
        return;
    }
    /* Before the first instruction of all, or at the limit. */
    end_stretch(session, true);
}

static void on_dump(struct session *session, const struct bochs_line *line)
{
    for (unsigned i = 0; i < line->nr_bytes && session->name_length < sizeof(session->name); i++)
        session->name[session->name_length++] = (char)line->bytes[i];
}

static void on_trace_on(struct session *session)
{
    session->name[sizeof(session->name) - 1] = '\0';
    if (session->name_length < sizeof(session->name))
        session->name[session->name_length] = '\0';
    session->stretch_began = process_clock();
    tracer_begin(session->tracer, *session->name ? session->name : NO_NAME);
}

static void on_line(struct session *session, const char *s, size_t length)
{
    struct bochs_line line;

    bochs_parse(&line, s, length);
    switch (line.kind) {
    case BOCHS_MAGIC:
        session->at_magic = true;
        break;
    case BOCHS_STOP:
        on_stop(session, &line);
        break;
    case BOCHS_DUMP:
        on_dump(session, &line);
        break;
    case BOCHS_TRACE_ON:
        if (session->placed)
            on_trace_on(session);
        break;
    default:
        if (session->placed && !tracer_feed(session->tracer, &line) && !session->problem)
            session->problem = text_copy(session->tracer->error);
    }
}

/* Takes all whole lines out of the buffer. */
static void split_lines(struct session *session)
{
    char *at = session->buffer, *end = session->buffer + session->filled, *newline;

    while (!session->problem && (newline = memchr(at, '\n', (size_t)(end - at)))) {
        on_line(session, at, (size_t)(newline - at));
        at = newline + 1;
    }
    session->filled = (size_t)(end - at);
    if (session->filled > LINE_MAX_BYTES)
        session->filled = 0;
    memmove(session->buffer, at, session->filled);
}

static bool must_end(struct session *session, enum ending *ending)
{
    double now = process_clock();

    if (now - session->serial_read > SERIAL_EVERY_S) {
        session->serial_read = now;
        watch_serial(&session->watch);
        live_tick(session->live, session->watch.ktap);
    }
    if (!session->problem)
        return watch_is_over(&session->watch, session->machine, ending);
    *ending = ENDING_INTERRUPTED;
    return true;
}

/* Reads what Bochs prints until it ends, or has to be ended. */
static enum ending follow(struct session *session)
{
    enum ending ending = ENDING_SELF;
    struct pollfd wait = {.fd = session->output, .events = POLLIN};

    for (;;) {
        bool ended = process_poll(&session->watch.process);
        ssize_t length = read(session->output, session->buffer + session->filled, READ_BYTES);

        if (length > 0) {
            session->filled += (size_t)length;
            split_lines(session);
        } else if (ended) {
            break;
        } else if (poll(&wait, 1, POLL_MS) > 0 && !(wait.revents & POLLIN)) {
            process_sleep(POLL_MS);
        }
        if (must_end(session, &ending)) {
            process_end(&session->watch.process);
            break;
        }
    }
    watch_serial(&session->watch);
    return ending;
}

static int make_fifo(const char *path, int flags, int *file)
{
    unlink(path);
    if (mkfifo(path, 0666))
        return -errno;
    *file = open(path, flags | O_NONBLOCK | O_CLOEXEC);
    return *file < 0 ? -errno : 0;
}

static int prepare(struct session *session, const char *output, struct words *argv)
{
    char *config = bochs_config(session->machine, &session->files);
    char *whole = text("%s" BOCHS_EXTRA, config);
    int error = file_write(session->files.bochsrc, whole);

    if (!error)
        error = make_fifo(session->files.bochs_script, O_RDWR, &session->commands);
    if (!error)
        error = make_fifo(output, O_RDONLY, &session->output);
    /* Its text screen is drawn nowhere, but has to be large enough. */
    words_add_all(argv, "env", "TERM=vt100", "LINES=50", "COLUMNS=132", NULL);
    words_add(argv, "LD_PRELOAD=%s", session->options->preload);
    bochs_command(session->machine, &session->files, argv);
    free(whole);
    free(config);
    return error;
}

/* Starts Bochs and follows it to its end. Returns 0, or a negative errno with *message. */
static int play(struct session *session, struct evidence *evidence, char **message)
{
    char *output = text("%s/bochs.fifo", session->files.dir);
    char *options = machine_options(session->machine);
    struct words argv = {0};
    int error = media_make(&session->files, session->machine, options, message);

    if (!error && (error = prepare(session, output, &argv)))
        *message = text("%s: %s", session->files.dir, strerror(-error));
    if (!error) {
        live_say(session->live, "%s: bochs, cpu %s, options \"%s\", in %s", session->machine->name,
                 machine_cpu(session->machine), options, session->files.dir);
        session->watch.started = process_clock();
        error = process_start(&session->watch.process, &argv, output, 0);
        if (error)
            *message = text("%s: %s", argv.at[0], strerror(-error));
    }
    if (!error) {
        fcntl(session->output, F_SETPIPE_SZ, READ_BYTES);
        evidence->ending = follow(session);
        evidence->status = evidence->ending == ENDING_SELF ? session->watch.process.status : 0;
        if (session->placed && session->tracer->is_on)
            tracer_end(session->tracer, true);
    }
    unlink(output);
    unlink(session->files.bochs_script);
    words_free(&argv);
    free(options);
    free(output);
    return error;
}

static int find_marks(struct session *session, char **message)
{
    static const char *const names[] = {"trace_mark_begin", "trace_mark_end", "trace_stretch"};
    uint32_t *const addresses[] = {&session->mark_begin, &session->mark_end, &session->name_at};

    for (size_t i = 0; i < 3; i++) {
        if (!image_find(session->image, names[i], addresses[i])) {
            *message = text("the payload has no symbol %s", names[i]);
            return -ENOENT;
        }
    }
    return 0;
}

static void close_all(struct session *session)
{
    const int files[] = {session->commands, session->output};

    for (size_t i = 0; i < 2; i++) {
        if (files[i] >= 0)
            close(files[i]);
    }
    watch_close(&session->watch);
    free(session->buffer);
}

void session_run(struct machine *machine, const struct session_options *options,
                 const struct image *image, struct tracer *tracer, session_start start, void *ctx,
                 struct live *live, struct run_result *result)
{
    struct session session = {
        .options = options,
        .machine = machine,
        .image = image,
        .tracer = tracer,
        .start = start,
        .ctx = ctx,
        .live = live,
        .commands = -1,
        .output = -1,
        .left = options->limit,
        .files.lock = -1,
        .buffer = malloc(READ_BYTES + LINE_MAX_BYTES),
    };
    struct evidence evidence = {.machine = machine, .ktap = &result->ktap};
    char *message = NULL, *media_changed = NULL;
    double started = process_clock();

    run_begin(result, live);
    if (!session.buffer)
        abort();
    watch_init(&session.watch, &result->ktap, &session.files);
    int error = find_marks(&session, &message);
    if (!error)
        error = files_open(&session.files, options->build, machine->name, &message);
    if (!error)
        error = play(&session, &evidence, &message);
    ktap_finish(&result->ktap, process_clock());
    result->seconds = process_clock() - started;
    if (error) {
        run_cant(result, message);
    } else {
        media_check(&session.files, machine, &media_changed);
        evidence.media_changed = media_changed;
        judge(&evidence, &result->judgement);
    }
    if (session.problem)
        run_cant(result, session.problem);
    result->result = result->judgement.result;
    if (session.files.lock >= 0) {
        result->dir = text_copy(session.files.dir);
        result->serial = text_copy(session.files.serial);
        media_drop(&session.files);
    }
    files_close(&session.files);
    close_all(&session);
    free(media_changed);
}

int session_read(FILE *in, const char *name, struct tracer *tracer, char **message)
{
    char *s = NULL;
    size_t room = 0;
    ssize_t length;

    /* What begins with an instruction was recorded while tracing was on. */
    while ((length = getline(&s, &room, in)) > 0) {
        struct bochs_line line;

        if (s[length - 1] == '\n')
            length--;
        bochs_parse(&line, s, (size_t)length);
        if (line.kind == BOCHS_TRACE_OFF || line.kind == BOCHS_STOP)
            tracer_end(tracer, false);
        else if (!tracer->is_on && line.kind == BOCHS_INSTRUCTION)
            tracer_begin(tracer, name);
        if (!tracer_feed(tracer, &line))
            break;
    }
    tracer_end(tracer, false);
    free(s);
    if (tracer->error)
        *message = text_copy(tracer->error);
    else if (ferror(in))
        *message = text("%s: can't be read", name);
    else if (!tracer->all.cost.instructions)
        *message = text("%s: no instruction in it; was it recorded with \"trace on\"?", name);
    return *message ? -EIO : 0;
}
