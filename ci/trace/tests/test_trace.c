// SPDX-License-Identifier: BSD-2-Clause
/*
 * The trace tool on what was recorded from Bochs, and on lines put together here. The program that
 * the recordings are of is ci/trace/recorded/sample.S, which the build assembles.
 */
#include "ci/unit/unit.h"

#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

#include "ci/trace/callgrind.h"
#include "ci/trace/diff.h"
#include "ci/trace/session.h"
#include "ci/trace/settings.h"
#include "ci/trace/summary.h"

#define SLIDE 0xc0000000u
#define RECORDED "ci/trace/recorded/"

/* Addresses in the sample. */
#define PROBE_READ32 0xc011dae0u
#define CHECK_EDGES 0xc0118bc7u

static struct image image;
static struct tracer tracer;
static char folder[64], text_file[96], other_file[96], callgrind_file[96];

static int set_up(void **state)
{
    char *message = NULL;

    assert_int_equal(image_open(&image, SAMPLE, &message), 0);
    tracer_init(&tracer, &image, SLIDE);
    strcpy(folder, "/tmp/paeload-trace-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(text_file, sizeof(text_file), "%s/a.gz", folder);
    snprintf(other_file, sizeof(other_file), "%s/b.gz", folder);
    snprintf(callgrind_file, sizeof(callgrind_file), "%s/callgrind", folder);
    return 0;
}

static int tear_down(void **state)
{
    tracer_free(&tracer);
    image_close(&image);
    unlink(text_file);
    unlink(other_file);
    unlink(callgrind_file);
    return rmdir(folder);
}

static struct bochs_line parsed(const char *s)
{
    struct bochs_line line;
    /* Where it ends the sanitiser watches. */
    static char *copy;

    free(copy);
    copy = exact_copy(s, strlen(s));
    bochs_parse(&line, copy, strlen(s));
    return line;
}

static void lines_of_bochs(void **state)
{
    struct bochs_line line = parsed("(0).[795656701] [0x000000118bcd] 0008:00000000c0118bcd "
                                    "(unk. ctxt): mov ebx, ecx              ; 89cb");
    uint8_t bytes[BOCHS_INSTRUCTION_BYTES_MAX];
    size_t length;

    assert_int_equal(line.kind, BOCHS_INSTRUCTION);
    assert_int_equal(line.linear, 0xc0118bcd);
    assert_int_equal(line.physical, 0x118bcd);
    assert_int_equal(bochs_split(line.text, line.text_length, &length, bytes), 2);
    assert_int_equal(length, strlen("mov ebx, ecx"));
    assert_int_equal(bytes[1], 0xcb);

    line = parsed("[CPU0 RD]: LIN 0x00000000ffa00014 PHY 0x000159636014 (len=4, WB): 0x884FA3A3");
    assert_int_equal(line.kind, BOCHS_ACCESS);
    assert_int_equal(line.access, BOCHS_READ);
    assert_int_equal(line.linear, 0xffa00014);
    assert_true(line.physical == 0x159636014);
    assert_int_equal(line.length, 4);
    assert_int_equal(line.value, 0x884fa3a3);

    line = parsed("[CPU0 WR]: PHY 0x000000179ae8 (len=4, WB): 0x00000000");
    assert_int_equal(line.access, BOCHS_WRITE);
    assert_false(line.has_linear);

    line = parsed("[CPU0 RD]: PHY 0x000037ff9008 (len=8, WB): 0x80000000 0x37E01063\t; PTE");
    assert_int_equal(line.access, BOCHS_WALK);
    assert_true(line.value == 0x8000000037e01063);
    assert_memory_equal(line.walk_level, "PTE", line.walk_level_length);

    line = parsed("CPU 0: Interrupt 0x20 occurred (error_code=0x0000)");
    assert_int_equal(line.kind, BOCHS_INTERRUPT);
    assert_int_equal(line.vector, 0x20);
    line = parsed("CPU 0: Exception 0x0e - (#PF) page fault occurred (error_code=0x0000)");
    assert_int_equal(line.kind, BOCHS_OTHER);
    assert_int_equal(parsed("(0) Magic breakpoint").kind, BOCHS_MAGIC);
    line = parsed("(0) [0x00000011cf13] 0008:00000000c011cf13 (unk. ctxt): ret       ; c3");
    assert_int_equal(line.kind, BOCHS_STOP);
    assert_int_equal(line.linear, 0xc011cf13);
    line = parsed("0x00000000c01791c8 <bogus+       8>:\t0x72\t0x64\t0x73\t0x00");
    assert_int_equal(line.kind, BOCHS_DUMP);
    assert_int_equal(line.nr_bytes, 4);
    assert_int_equal(line.bytes[1], 'd');
    assert_int_equal(parsed("Tracing enabled for CPU0").kind, BOCHS_TRACE_ON);
    assert_int_equal(parsed("Tracing disabled for CPU0").kind, BOCHS_TRACE_OFF);
    assert_int_equal(parsed("").kind, BOCHS_OTHER);
    assert_int_equal(parsed("Next at t=0").kind, BOCHS_OTHER);
}

/* What the guest writes to port 0xE9 has no line of its own. */
static void noise_in_front(void **state)
{
    struct bochs_line line = parsed("# page 0x1 (0 of 7) ok(0).[1] [0x000000118bcd] "
                                    "0008:00000000c0118bcd (unk. ctxt): mov ebx, ecx ; 89cb");

    assert_int_equal(line.kind, BOCHS_INSTRUCTION);
    assert_int_equal(line.linear, 0xc0118bcd);
    line = parsed("x[CPU0 WR]: LIN 0x00000000c017ebd4 PHY 0x00000017ebd4 (len=4, WB): 0x1");
    assert_int_equal(line.kind, BOCHS_ACCESS);
    assert_int_equal(parsed("hello(0) Magic breakpoint").kind, BOCHS_MAGIC);
}

/* Wherever a line is cut off: never a crash, never half a number taken for a whole address. */
static void cut_lines(void **state)
{
    static const char *const whole[] = {
        "(0).[795656701] [0x000000118bcd] 0008:00000000c0118bcd (unk. ctxt): mov ebx, ecx ; 89cb",
        "[CPU0 RD]: PHY 0x000037ff9008 (len=8, WB): 0x80000000 0x37E01063\t; PTE",
        "[CPU0 RW]: LIN 0x00000000c0179ae8 PHY 0x000000179ae8 (len=4, WB): 0x00000001",
    };
    char cut[128];

    for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
        for (size_t length = 0; length < strlen(whole[i]); length++) {
            snprintf(cut, sizeof(cut), "%.*s", (int)length, whole[i]);
            struct bochs_line line = parsed(cut);

            if (line.kind == BOCHS_INSTRUCTION)
                assert_int_equal(line.linear, 0xc0118bcd);
            else if (line.kind == BOCHS_ACCESS)
                assert_true(line.physical == 0x37ff9008 || line.physical == 0x179ae8);
        }
    }
}

static void any_bytes(void **state)
{
    struct prng prng;
    char line[120];

    prng_seed(&prng, 3);
    for (unsigned i = 0; i < 20000; i++) {
        size_t length = between(&prng, 0, sizeof(line) - 1);
        char *copy;
        struct bochs_line taken;

        for (size_t j = 0; j < length; j++)
            line[j] = "(0).[]CPU WRLINxHY:=,;0123456789abcdef\t\xff"[prng_below(&prng, 40)];
        memcpy(line, one_in(&prng, 2) ? "(0).[1" : "[CPU0 ", length < 6 ? length : 6);
        copy = exact_copy(line, length);
        bochs_parse(&taken, copy, length);
        free(copy);
    }
}

static void symbols_and_lines(void **state)
{
    char *message = NULL, *name;
    struct image none;
    uint32_t address;

    name = sites_name(&tracer.sites, PROBE_READ32 + 4);
    assert_string_equal(name, "probe_read32+0x4");
    free(name);
    name = sites_name(&tracer.sites, 0xc0118bc0);
    assert_string_equal(name, "check_edges+0x0");
    free(name);
    name = sites_name(&tracer.sites, 0x000fe05b);
    assert_string_equal(name, "[unknown_0x000fe000]+0x5b");
    free(name);
    struct image_place place = image.place[PROBE_READ32 - SLIDE - image.start];
    assert_string_equal(image.files[place.file], "payload/traps.c");
    assert_int_equal(place.line, 297);
    assert_true(image_find(&image, "trap_common", &address));
    assert_int_equal(address, 0x11d326);
    assert_false(image_find(&image, "nobody", &address));

    assert_int_equal(image_open(&none, "/nonexistent", &message), -ENOENT);
    assert_non_null(strstr(message, "/nonexistent"));
    free(message);
    image_close(&none);
    assert_int_equal(image_open(&none, RECORDED "page_fault.txt", &message), -ENOEXEC);
    assert_non_null(strstr(message, "not a 32-bit ELF"));
    free(message);
    image_close(&none);
}

#define HEADERS_BYTES 148u
#define TABLES_BYTES 2600u

/* A program file that was cut off or changed somewhere: refused, or read as far as it makes sense.
 */
static void damaged_image(void **state)
{
    static uint8_t whole[1 << 17], damaged[1 << 17];
    unsigned opened = 0;
    FILE *in = fopen(SAMPLE, "rb");
    struct prng prng;

    assert_non_null(in);
    size_t size = fread(whole, 1, sizeof(whole), in);
    fclose(in);
    assert_true(size < sizeof(whole));
    /* The text is filler for the most part; what is interesting stands before and behind it. */
    prng_seed(&prng, 9);
    for (unsigned i = 0; i < 200; i++) {
        size_t length = one_in(&prng, 4) ? prng_below(&prng, (uint32_t)size) : size;
        char *message = NULL;
        struct image read;

        memcpy(damaged, whole, size);
        for (unsigned n = between(&prng, 1, 8); n > 0; n--) {
            uint32_t at = one_in(&prng, 3) ? prng_below(&prng, HEADERS_BYTES)
                                           : (uint32_t)size - 1 - prng_below(&prng, TABLES_BYTES);

            damaged[at] ^= (uint8_t)between(&prng, 1, 255);
        }
        FILE *out = fopen(other_file, "wb");
        fwrite(damaged, 1, length, out);
        fclose(out);
        if (image_open(&read, other_file, &message))
            assert_non_null(message);
        else
            opened++;
        free(message);
        image_close(&read);
    }
    assert_in_range(opened, 20, 180);
}

static void read_recording(const char *name)
{
    char path[96], *message = NULL;

    snprintf(path, sizeof(path), RECORDED "%s", name);
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    assert_int_equal(tracer_open_text(&tracer, text_file), 0);
    tracer_note(&tracer, "paeload trace, image crc32c=1 slide=0");
    tracer_note(&tracer, "make trace");
    assert_int_equal(session_read(in, name, &tracer, &message), 0);
    assert_int_equal(tracer_close_text(&tracer), 0);
    fclose(in);
}

static uint32_t function(const char *name)
{
    for (uint32_t i = 0; i < sites_nr_functions(&tracer.sites); i++) {
        if (!strcmp(sites_function_name(&tracer.sites, i), name))
            return i;
    }
    fail_msg("there is no function %s", name);
    return 0;
}

static const struct function_cost *cost_of(const char *name)
{
    return &tracer.profile.functions[function(name)];
}

static void add_self(void *ctx, const struct site *site)
{
    uint64_t *count = ctx;

    *count += site->cost.instructions;
}

/* A part of the text, up to 16 KiB. */
static const char *text_of(const char *path)
{
    static char content[1 << 14];
    gzFile file = gzopen(path, "rb");

    assert_non_null(file);
    int length = gzread(file, content, sizeof(content) - 1);
    assert_true(length >= 0);
    content[length] = '\0';
    gzclose(file);
    return content;
}

static void recorded_page_fault(void **state)
{
    const struct stretch *stretch;
    uint64_t self = 0;

    assert_true(profile_watch(&tracer.profile, "probe_read32"));
    read_recording("page_fault.txt");
    assert_int_equal(tracer.nr_stretches, 1);
    stretch = &tracer.stretches[0];
    assert_int_equal(stretch->cost.instructions, 105);
    assert_int_equal(stretch->exceptions, 1);
    assert_int_equal(stretch->interrupts, 0);
    assert_int_equal(stretch->walks, 2);
    sites_each(&tracer.sites, add_self, &self);
    assert_int_equal(self, 105);
    /* The fault is a part of what probe_read32 cost, the IRET led out of it, and the RETs fit. */
    assert_int_equal(cost_of("probe_read32")->inclusive.instructions, 87);
    assert_int_equal(cost_of("probe_read_at")->inclusive.instructions, 68);
    assert_int_equal(cost_of("[page fault]")->inclusive.instructions, 65);
    assert_int_equal(cost_of("trap_handle")->inclusive.instructions, 51);
    assert_int_equal(cost_of("check_edges")->inclusive.instructions, 105);
    assert_int_equal(cost_of("trap_handle")->calls, 1);
    assert_int_equal(tracer.profile.nr_calls, 1);
    assert_int_equal(tracer.profile.calls[0], 87);
    assert_int_equal(tracer.damaged, 0);
    /* Names instead of addresses, the access with both of its addresses, the walk that failed. */
    const char *shown = text_of(text_file);
    assert_non_null(strstr(shown, "call probe_read_at  "));
    assert_non_null(strstr(shown, "W4 c017eba0>0017eba0=c011daf3"));
    assert_non_null(strstr(shown, "PTE 37ffb000=0000000000000000"));
    assert_non_null(strstr(shown, "\n# page fault\n  5 trap_stubs+0xe0 "));
    assert_non_null(strstr(shown, " payload/traps.c:297 "));
}

/* Bochs shows the interrupted instruction where the first one of the handler ran. */
static void recorded_interrupt(void **state)
{
    read_recording("interrupt.txt");
    assert_int_equal(tracer.stretches[0].interrupts, 1);
    assert_int_equal(tracer.stretches[0].cost.instructions, 23);
    const char *shown = text_of(text_file);
    assert_non_null(strstr(shown, "\n# interrupt 0x20\n  3 trap_stubs+0x200 "));
    assert_non_null(strstr(shown, "(not shown by Bochs)"));
    assert_null(strstr(shown, "pop esi"));
    /* Whom it interrupted does not pay for it. */
    assert_int_equal(cost_of("irq_request")->inclusive.instructions, 5);
    assert_int_equal(cost_of("[interrupt 0x20]")->inclusive.instructions, 15);
}

/* Lines for a program that needs no image. */
static void step(uint32_t linear, const char *bytes)
{
    char line[160];
    struct bochs_line taken;

    snprintf(line, sizeof(line), "(0).[1] [0x%012x] 0008:00000000%08x (unk. ctxt): x ; %s", linear,
             linear, bytes);
    bochs_parse(&taken, line, strlen(line));
    assert_int_equal(taken.kind, BOCHS_INSTRUCTION);
    assert_true(tracer_feed(&tracer, &taken));
}

static void access_memory(const char *kind, uint32_t linear, uint32_t value)
{
    char line[160];
    struct bochs_line taken;

    snprintf(line, sizeof(line), "[CPU0 %s]: LIN 0x00000000%08x PHY 0x0000%08x (len=4, WB): 0x%08X",
             kind, linear, linear, value);
    bochs_parse(&taken, line, strlen(line));
    assert_int_equal(taken.kind, BOCHS_ACCESS);
    assert_true(tracer_feed(&tracer, &taken));
}

/* Pages without a symbol are functions of their own here. */
#define MAIN 0x1000u
#define CALLED 0x2000u
#define TAIL 0x3000u
#define CALL_BYTES "e800000000"
#define CALL_LENGTH 5u
#define STACK 0x9000u
#define NAME_OF(page) "[unknown_0x0000" #page "]"

static void call(uint32_t from, uint32_t slot)
{
    step(from, CALL_BYTES);
    access_memory("WR", slot, from + CALL_LENGTH);
}

static void back(uint32_t from, uint32_t slot, uint32_t to)
{
    step(from, "c3");
    access_memory("RD", slot, to);
}

static void tail_jump(void **state)
{
    tracer_begin(&tracer, "t");
    call(MAIN, STACK);
    step(CALLED, "90");
    step(CALLED + 1, "e9fa0f0000");
    step(TAIL, "90");
    step(TAIL + 1, "eb00"); /* and back, which is no new call */
    step(CALLED + 8, "e9fa0f0000");
    back(TAIL + 3, STACK, MAIN + CALL_LENGTH);
    step(MAIN + CALL_LENGTH, "90");
    tracer_end(&tracer, false);
    assert_int_equal(cost_of(NAME_OF(1000))->inclusive.instructions, 8);
    assert_int_equal(cost_of(NAME_OF(2000))->inclusive.instructions, 6);
    assert_int_equal(cost_of(NAME_OF(2000))->calls, 1);
    assert_int_equal(cost_of(NAME_OF(3000))->inclusive.instructions, 3);
    assert_int_equal(cost_of(NAME_OF(3000))->calls, 2);
}

static void recursion(void **state)
{
    tracer_begin(&tracer, "t");
    step(MAIN, "90");
    call(MAIN + 1, STACK);
    for (uint32_t depth = 1; depth <= 3; depth++)
        call(CALLED, STACK - 4 * depth);
    step(CALLED, "7400");
    for (uint32_t depth = 3; depth >= 1; depth--)
        back(CALLED + 8, STACK - 4 * depth, CALLED + CALL_LENGTH);
    back(CALLED + 8, STACK, MAIN + 1 + CALL_LENGTH);
    step(MAIN + 1 + CALL_LENGTH, "90");
    tracer_end(&tracer, false);
    assert_int_equal(cost_of(NAME_OF(2000))->calls, 4);
    assert_int_equal(cost_of(NAME_OF(2000))->inclusive.instructions, 8);
    assert_int_equal(cost_of(NAME_OF(1000))->inclusive.instructions, 11);
}

/* A RET that fits a frame further down ends all above it: what longjmp does. */
static void long_jump(void **state)
{
    tracer_begin(&tracer, "t");
    call(MAIN, STACK);
    call(CALLED, STACK - 4);
    step(TAIL, "90");
    back(TAIL + 1, STACK, MAIN + CALL_LENGTH);
    step(MAIN + CALL_LENGTH, "90");
    assert_int_equal(tracer.profile.depth, 1);
    /* One that fits none is a jump, and out of the first function there is only a new one. */
    back(MAIN + 9, STACK + 4, TAIL);
    step(TAIL, "90");
    assert_int_equal(tracer.profile.depth, 1);
    tracer_end(&tracer, false);
    assert_int_equal(cost_of(NAME_OF(2000))->inclusive.instructions, 3);
}

/* Frames with one return address are told apart by where on the stack it stands. */
static void long_jump_in_recursion(void **state)
{
    tracer_begin(&tracer, "t");
    call(MAIN, STACK);
    for (uint32_t depth = 1; depth <= 3; depth++)
        call(CALLED, STACK - 4 * depth);
    step(CALLED + 8, "90");
    assert_int_equal(tracer.profile.depth, 5);
    back(CALLED + 9, STACK - 8, CALLED + CALL_LENGTH);
    step(CALLED + CALL_LENGTH, "90");
    assert_int_equal(tracer.profile.depth, 3);
    tracer_end(&tracer, false);
}

/* call 1f; 1: pop: asks where it is. */
static void call_to_the_next(void **state)
{
    tracer_begin(&tracer, "t");
    call(MAIN, STACK);
    step(MAIN + CALL_LENGTH, "58");
    access_memory("RD", STACK, MAIN + CALL_LENGTH);
    assert_int_equal(tracer.profile.depth, 1);
    tracer_end(&tracer, false);
}

/* An interrupt between a call and the first instruction of what is called. */
static void interrupt_after_call(void **state)
{
    struct bochs_line line = parsed("CPU 0: Interrupt 0x21 occurred (error_code=0x0000)");

    tracer_begin(&tracer, "t");
    call(MAIN, STACK);
    assert_true(tracer_feed(&tracer, &line));
    access_memory("WR", STACK - 4, 0x202);
    access_memory("WR", STACK - 8, 8);
    access_memory("WR", STACK - 12, CALLED);
    step(TAIL, "90");
    step(TAIL + 1, "cf");
    step(CALLED, "90");
    back(CALLED + 1, STACK, MAIN + CALL_LENGTH);
    step(MAIN + CALL_LENGTH, "90");
    assert_int_equal(tracer.profile.depth, 1);
    tracer_end(&tracer, false);
    assert_int_equal(cost_of(NAME_OF(2000))->inclusive.instructions, 2);
    assert_int_equal(cost_of(NAME_OF(1000))->inclusive.instructions, 4);
    assert_int_equal(cost_of("[interrupt 0x21]")->inclusive.instructions, 2);
    assert_int_equal(tracer.all.cost.instructions, 6);
}

static void flushes(void **state)
{
    tracer_begin(&tracer, "t");
    step(MAIN, "0f20d8"); /* mov eax, cr3 */
    step(MAIN + 3, "0f22d8");
    step(MAIN + 6, "0f013e"); /* invlpg [esi] */
    step(MAIN + 9, "0f01f8"); /* swapgs, which has the same opcode */
    step(MAIN + 12, "0f22e0");
    step(MAIN + 15, "0f22c0");
    tracer_end(&tracer, false);
    assert_int_equal(tracer.all.flushes[SITE_FLUSH_CR3], 1);
    assert_int_equal(tracer.all.flushes[SITE_FLUSH_PAGE], 1);
    assert_int_equal(tracer.all.flushes[SITE_FLUSH_CR4], 1);
}

static void wrong_image(void **state)
{
    struct bochs_line line = parsed("(0).[1] [0x00000011dae0] 0008:00000000c011dae0 (unk. ctxt): "
                                    "push esi ; 56");

    tracer_begin(&tracer, "t");
    assert_false(tracer_feed(&tracer, &line));
    assert_non_null(strstr(tracer.error, "0xc011dae0 (probe_read32+0x0, linked at 0x0011dae0)"));
    assert_non_null(strstr(tracer.error, "not what the image has"));
}

static void nothing_in_it(void **state)
{
    static const char *const contents[] = {
        "",
        "hello\nworld",
        "Tracing enabled for CPU0\n(0).[1] [0x00",
        "[CPU0 RD]: LIN 0x00000000c017ebd4 PHY 0x00000017ebd4 (len=4, WB): 0x1\n",
    };

    for (size_t i = 0; i < sizeof(contents) / sizeof(contents[0]); i++) {
        char *copy = strdup(contents[i]), *message = NULL;
        FILE *in = *copy ? fmemopen(copy, strlen(copy), "r") : fopen("/dev/null", "r");

        assert_int_equal(session_read(in, "it", &tracer, &message), -EIO);
        assert_non_null(strstr(message, "no instruction in it"));
        free(message);
        fclose(in);
        free(copy);
    }
}

static void callgrind_file_adds_up(void **state)
{
    char line[256], callee[64] = "";
    unsigned long long instructions, sum = 0, total = 0, inclusive = 0;
    bool is_call = false;

    read_recording("page_fault.txt");
    assert_int_equal(callgrind_write(&tracer.profile, callgrind_file, "test"), 0);
    FILE *in = fopen(callgrind_file, "r");
    assert_non_null(in);
    while (fgets(line, sizeof(line), in)) {
        sscanf(line, "cfn=%63s", callee);
        sscanf(line, "totals: %llu", &total);
        if (!strncmp(line, "calls=", 6)) {
            is_call = true;
            continue;
        }
        if (sscanf(line, "%*u %llu", &instructions) != 1)
            continue;
        if (!is_call)
            sum += instructions;
        else if (!strcmp(callee, "probe_read32"))
            inclusive = instructions;
        is_call = false;
    }
    fclose(in);
    assert_int_equal(sum, 105);
    assert_int_equal(total, 105);
    assert_int_equal(inclusive, 87);
}

static void summary(void **state)
{
    char *shown = NULL;
    size_t length;
    FILE *out = open_memstream(&shown, &length);

    profile_watch(&tracer.profile, "probe_read32");
    read_recording("page_fault.txt");
    summary_print(out, &tracer, 2);
    summary_print_calls(out, &tracer.profile);
    fclose(out);
    assert_non_null(strstr(shown, "trap_handle                            51  48.57"));
    assert_null(strstr(shown, "trap_common"));
    assert_non_null(strstr(shown, "probe_read32: 1 complete calls"));
    free(shown);
}

#define HEADER(build) "# paeload trace, image crc32c=" build " slide=0x0\n# make trace\n# begin x\n"
#define LINE(n) "  1 f+0x" #n "  f.c:1  mov eax, " #n "    ; R4 c000000" #n ">0000000" #n "=00\n"
#define SAME8 LINE(1) LINE(2) LINE(3) LINE(4) LINE(5) LINE(6) LINE(7) LINE(8)
#define OTHER8                                                                     \
    "  1 g+0x1 g.c:1 a\n  1 g+0x2 g.c:1 b\n  1 g+0x3 g.c:1 c\n  1 g+0x4 g.c:1 d\n" \
    "  1 g+0x5 g.c:1 e\n  1 g+0x6 g.c:1 f\n  1 g+0x7 g.c:1 g\n  1 g+0x8 g.c:1 h\n"
#define EXTRA "  2 h+0x0 h.c:9 mov cr3, eax\n  2 h+0x3 h.c:9 ret\n"

/* Compares two texts; what was printed is in `shown`. */
static struct diff_result compare(const char *a, const char *b, enum diff_by by, char *shown,
                                  size_t room)
{
    const struct diff_options options = {.by = by, .window = 100, .shown = 5};
    const char *const contents[] = {a, b}, *const paths[] = {text_file, other_file};
    struct diff_result result;
    char *message = NULL;

    for (size_t i = 0; i < 2; i++) {
        gzFile file = gzopen(paths[i], "wb");

        assert_non_null(file);
        gzputs(file, contents[i]);
        gzclose(file);
    }
    memset(shown, 0, room);
    FILE *out = fmemopen(shown, room, "w");
    assert_int_equal(diff_traces(out, text_file, other_file, &options, &result, &message), 0);
    fclose(out);
    return result;
}

static void diff_of_the_same(void **state)
{
    char shown[8192];
    struct diff_result result =
        compare(HEADER("1") SAME8, HEADER("1") SAME8, DIFF_PHYSICAL, shown, sizeof(shown));

    assert_int_equal(result.regions, 0);
    assert_int_equal(result.equal, 9);
    assert_non_null(strstr(shown, "the two traces are equal: 9 lines"));
}

static void diff_parts_and_rejoins(void **state)
{
    char shown[8192];
    struct diff_result result =
        compare(HEADER("1") SAME8 EXTRA OTHER8 SAME8, HEADER("1") SAME8 OTHER8 SAME8, DIFF_CODE,
                shown, sizeof(shown));

    assert_int_equal(result.regions, 1);
    assert_int_equal(result.only_a, 2);
    assert_int_equal(result.only_b, 0);
    assert_int_equal(result.equal, 25);
    assert_false(result.parted);
    assert_non_null(strstr(shown, "part behind line 9 of A, 9 of B"));
    assert_non_null(strstr(shown, "A   2 h+0x0 h.c:9 mov cr3, eax"));
    assert_non_null(strstr(shown, "call stack before it, of both"));
    assert_non_null(strstr(shown, "they meet again 2 lines on in A, 0 in B"));
}

static void diff_never_meets(void **state)
{
    char shown[8192];
    struct diff_result result = compare(HEADER("1") SAME8 OTHER8 "  1 z+0x1 z.c:1 y\n",
                                        HEADER("1") SAME8 EXTRA, DIFF_CODE, shown, sizeof(shown));

    /* Both end within sight, so the end is where they meet. */
    assert_int_equal(result.regions, 1);
    assert_int_equal(result.only_a, 9);
    assert_int_equal(result.only_b, 2);
    assert_non_null(strstr(shown, "and both end"));
}

static void diff_window_is_bounded(void **state)
{
    static char a[1 << 16], b[1 << 16], shown[8192];

    strcpy(a, HEADER("1") SAME8);
    strcpy(b, HEADER("1") SAME8);
    for (unsigned i = 0; i < 500; i++) {
        sprintf(a + strlen(a), "  1 a+0x%x a.c:1 nop\n", i);
        sprintf(b + strlen(b), "  1 b+0x%x b.c:1 nop\n", i);
    }
    struct diff_result result = compare(a, b, DIFF_CODE, shown, sizeof(shown));
    assert_true(result.parted);
    assert_int_equal(result.regions, 1);
    assert_non_null(strstr(shown, "do not meet again within the next 100 lines"));
}

static void diff_of_two_builds(void **state)
{
    static const char a[] = HEADER("1") "  1 f+0x1 f.c:1 jz f+0x9\n  1 f+0x9 f.c:2 call g\n";
    static const char b[] = HEADER("2") "  1 f+0x2 f.c:5 jz f+0xc\n  1 f+0xc f.c:6 call g\n";
    static const char c[] = HEADER("2") "  1 f+0x2 f.c:5 jz f+0xc\n  1 f+0xc f.c:6 call h\n";
    static const char d[] = HEADER("1") "  1 f+0x2 f.c:5 jz f+0xc\n  1 f+0xc f.c:6 call g\n";
    char shown[8192];

    assert_int_equal(compare(a, b, DIFF_CODE, shown, sizeof(shown)).regions, 0);
    assert_int_equal(compare(a, c, DIFF_CODE, shown, sizeof(shown)).regions, 1);
    assert_int_equal(compare(a, d, DIFF_CODE, shown, sizeof(shown)).regions, 1);
}

static void diff_of_memory(void **state)
{
    static const char a[] = HEADER("1") "  1 f+0x1 f.c:1 mov ; R4 ffa00014>159636014=11\n";
    static const char stale[] = HEADER("1") "  1 f+0x1 f.c:1 mov ; R4 ffa00014>048b03884=22\n";
    static const char walk[] = HEADER("1") "  1 f+0x1 f.c:1 mov ; PTE 37ff0000=11 R4 "
                                           "ffa00014>159636014=11\n";
    static const char moved[] = HEADER("1") "  1 f+0x1 f.c:1 mov ; R4 ffa02014>159636014=11\n";
    char shown[8192];

    assert_int_equal(compare(a, stale, DIFF_CODE, shown, sizeof(shown)).regions, 0);
    assert_int_equal(compare(a, stale, DIFF_LINEAR, shown, sizeof(shown)).regions, 0);
    assert_int_equal(compare(a, stale, DIFF_PHYSICAL, shown, sizeof(shown)).regions, 1);
    assert_int_equal(compare(a, walk, DIFF_PHYSICAL, shown, sizeof(shown)).regions, 0);
    assert_int_equal(compare(a, moved, DIFF_LINEAR, shown, sizeof(shown)).regions, 1);
    assert_int_equal(compare(a, moved, DIFF_CODE, shown, sizeof(shown)).regions, 0);
}

static void diff_of_what_is_no_trace(void **state)
{
    const struct diff_options options = {.window = 100, .shown = 5};
    struct diff_result result;
    char *message = NULL, bytes[4096];

    assert_true(diff_traces(stdout, "/nonexistent", text_file, &options, &result, &message) < 0);
    assert_non_null(strstr(message, "/nonexistent"));
    free(message);
    message = NULL;
    assert_true(diff_traces(stdout, RECORDED "page_fault.txt", RECORDED "page_fault.txt", &options,
                            &result, &message) < 0);
    assert_non_null(strstr(message, "not a trace"));
    free(message);

    /* A file that was cut off is an error, not an end. */
    message = NULL;
    read_recording("page_fault.txt");
    FILE *in = fopen(text_file, "rb");
    size_t length = fread(bytes, 1, sizeof(bytes), in);
    fclose(in);
    in = fopen(other_file, "wb");
    fwrite(bytes, 1, length - 20, in);
    fclose(in);
    FILE *nowhere = fopen("/dev/null", "w");
    assert_int_equal(diff_traces(nowhere, text_file, other_file, &options, &result, &message),
                     -EIO);
    assert_non_null(strstr(message, "cut off"));
    free(message);
    fclose(nowhere);
}

/* Reads settings as the command line gives them. */
static void read_words(struct settings *settings, const char *const *words)
{
    char *copies[8];
    size_t count = 0;

    for (; words[count]; count++)
        copies[count] = strdup(words[count]);
    copies[count] = NULL;
    assert_int_equal(settings_read(settings, "build", copies), 0);
    while (count)
        free(copies[--count]);
}

static char *options_for(const char *const *words)
{
    struct settings settings;
    char *message = NULL;

    read_words(&settings, words);
    char *options = settings_boot_options(&settings, &message);
    free(message);
    settings_free(&settings);
    return options;
}

static void boot_options(void **state)
{
    char *options = options_for((const char *[]){"SUITE=kmap", NULL});

    assert_string_equal(options, "tests=kmap trace=kmap.* seed=1 depth=sparse console=ttyS0");
    free(options);
    options = options_for((const char *[]){"SUITE=dma_bounce", "CASE=reads,w*",
                                           "ARGS=seed=2 inject=x depth=full", NULL});
    assert_string_equal(options, "tests=dma_bounce "
                                 "trace=dma_bounce.reads,dma_bounce.reads.*,dma_bounce.w* "
                                 "console=ttyS0 seed=2 inject=x depth=full");
    free(options);
    /* What the payload would not take must not be asked of it. */
    assert_null(options_for((const char *[]){
        "SUITE=kmap",
        "CASE=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa,bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb,cccccccccccccccc",
        NULL}));
}

static void repeating(void **state)
{
    struct settings settings;

    read_words(&settings, (const char *[]){"SUITE=isa_dma", "DEVICES=floppy,sb16", "ARGS=seed=2",
                                           "TIMEOUT=30", NULL});
    char *command = settings_repeat_command(&settings);
    assert_string_equal(command,
                        "make trace SUITE=isa_dma DEVICES=floppy,sb16 ARGS=seed=2 TIMEOUT=30");
    free(command);
    settings_free(&settings);
}

static void counts(void **state)
{
    static const char *const bad[] = {"",    "0", "-1",    "1x",
                                      "1MM", "M", "5000M", "99999999999999999999"};
    uint64_t count;

    assert_true(count_parse("20M", &count));
    assert_int_equal(count, 20000000);
    assert_true(count_parse("500k", &count));
    assert_int_equal(count, 500000);
    assert_true(count_parse("7", &count));
    assert_int_equal(count, 7);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(count_parse(bad[i], &count));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(lines_of_bochs),
        TEST(noise_in_front),
        TEST(cut_lines),
        TEST(any_bytes),
        TEST(symbols_and_lines),
        TEST(damaged_image),
        TEST(recorded_page_fault),
        TEST(recorded_interrupt),
        TEST(tail_jump),
        TEST(recursion),
        TEST(long_jump),
        TEST(long_jump_in_recursion),
        TEST(call_to_the_next),
        TEST(interrupt_after_call),
        TEST(flushes),
        TEST(wrong_image),
        TEST(nothing_in_it),
        TEST(callgrind_file_adds_up),
        TEST(summary),
        TEST(diff_of_the_same),
        TEST(diff_parts_and_rejoins),
        TEST(diff_never_meets),
        TEST(diff_window_is_bounded),
        TEST(diff_of_two_builds),
        TEST(diff_of_memory),
        TEST(diff_of_what_is_no_trace),
        TEST(boot_options),
        TEST(repeating),
        TEST(counts),
    };

    return cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}
