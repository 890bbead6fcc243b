// SPDX-License-Identifier: BSD-2-Clause
/* From settings to an emulator's command line, and to the command that repeats a run. */
#include "ci/unit/unit.h"

#include <errno.h>
#include <unistd.h>

#include "ci/runner/emulator.h"
#include "ci/runner/machine.h"
#include "ci/runner/sound.h"

static const struct run_files files = {
    .build = "b",
    .dir = "b/run/x",
    .serial = "b/run/x,y/serial.log",
    .emulator_log = "b/run/x/emulator.log",
    .floppy = "b/run/x/floppy.img",
    .disk = "b/run/x/disk.img",
    .sata = "b/run/x/sata.img",
    .iso = "b/run/x/boot.iso",
    .tftp = "b/run/x/tftp",
    .bochsrc = "b/run/x/bochsrc",
    .bochs_script = "b/run/x/bochs.rc",
};

static void set(struct machine *machine, const char *key, const char *value)
{
    char *message;

    assert_int_equal(machine_set(machine, key, value, &message), 0);
}

/* The QEMU command line with these settings, as one string with a blank at both ends. */
static char *qemu_line(const char *const *settings)
{
    struct machine machine;
    struct words argv = {0};
    char *line = text(" ");

    machine_init(&machine);
    for (; settings[0]; settings += 2) {
        if (!strcmp(settings[0], "beyond_host"))
            machine.sampled = machine.beyond_host = true;
        else
            set(&machine, settings[0], settings[1]);
    }
    char *options = machine_options(&machine);
    assert_true(qemu_command(&machine, &files, options, &argv));
    for (size_t i = 0; i < argv.count; i++) {
        char *longer = text("%s%s ", line, argv.at[i]);

        free(line);
        line = longer;
    }
    free(options);
    words_free(&argv);
    machine_free(&machine);
    return line;
}

static void assert_has(const char *line, const char *part)
{
    if (!strstr(line, part))
        fail_msg("\"%s\" is not in: %s", part, line);
}

static void assert_lacks(const char *line, const char *part)
{
    if (strstr(line, part))
        fail_msg("\"%s\" is in: %s", part, line);
}

static void by_default(void **state)
{
    const char *const settings[] = {NULL, NULL};
    char *line = qemu_line(settings);

    assert_has(line, " -machine pc ");
    assert_has(line, " -cpu qemu64 ");
    assert_has(line, " -m 6G ");
    assert_has(line, " -smp 1 ");
    assert_has(line, " -no-reboot ");
    assert_has(line, " -accel tcg ");
    assert_has(line, " -kernel b/paeload-x64.efi -append exit=qemu ");
    assert_has(line, "isa-debug-exit,iobase=0xf4,iosize=4");
    assert_has(line, "if=floppy,");
    assert_has(line, "if=ide,");
    assert_has(line, " -device edu ");
    /* Commas in a path are doubled. */
    assert_has(line, "path=b/run/x,,y/serial.log");
    assert_lacks(line, "reserve=off");
    free(line);
}

static void q35_gets_the_old_devices(void **state)
{
    const char *const settings[] = {"firmware", "ovmf-ia32", NULL, NULL};
    char *line = qemu_line(settings);

    assert_has(line, " -machine q35,smm=on ");
    assert_has(line, " -device isa-fdc,");
    assert_has(line, " -device piix3-ide,");
    assert_has(line, "property=secure,value=on");
    assert_has(line, " -cpu coreduo,+pse36,+nx ");
    free(line);
}

static void beyond_the_host(void **state)
{
    const char *const settings[] = {"firmware",   "bios",        "mem", "64G", "args",
                                    "tests=kmap", "beyond_host", "",    NULL,  NULL};
    const char *const deep[] = {"mem", "64G", "args", "depth=full", "beyond_host", "", NULL, NULL};
    char *line = qemu_line(settings);

    assert_has(line, "memory-backend-ram,id=ram,size=64G,reserve=off");
    assert_has(line, " -machine pc,memory-backend=ram ");
    assert_has(line, " -append tests=kmap exit=qemu depth=sparse ");
    free(line);
    line = qemu_line(deep);
    assert_has(line, " depth=full ");
    assert_lacks(line, "sparse");
    free(line);
}

static void exit_is_left_alone(void **state)
{
    const char *const settings[] = {"firmware", "bios", "args", "a=b exit=halt", NULL, NULL};
    char *line = qemu_line(settings);

    assert_has(line, " -append a=b exit=halt ");
    free(line);
}

static void extra_words(void **state)
{
    const char *const settings[] = {"qemu_extra", "-d 'int,guest errors' -D \"a b\"", NULL, NULL};
    char *line = qemu_line(settings);

    assert_has(line, " -d int,guest errors -D a b ");
    free(line);
}

static void serial_ports(void **state)
{
    const char *const com2[] = {"serial", "com2", NULL, NULL};
    const char *const e9[] = {"serial", "e9", NULL, NULL};
    char *line = qemu_line(com2);

    assert_has(line, " -serial null -serial chardev:report ");
    free(line);
    line = qemu_line(e9);
    assert_has(line, " -serial none -device isa-debugcon,iobase=0xe9,chardev=report ");
    free(line);
}

/* The device that is not known is named, and not only the list that it stands in. */
static void unknown_device(void **state)
{
    struct machine machine;
    char *message;

    machine_init(&machine);
    assert_int_equal(machine_set(&machine, "devices", "ide,flopy,edu", &message), -EINVAL);
    assert_non_null(strstr(message, "flopy is none of floppy,"));
    free(message);
    machine_free(&machine);
}

/* What Bochs has not is said, and not left out. */
static void bochs_lacking(void **state)
{
    static const struct {
        const char *key, *value, *named;
    } asked[] = {
        {"name", "x", NULL},
        {"devices", "floppy,ide,uhci,e1000,sb16,es1370,floppy-empty", NULL},
        {"devices", "none", NULL},
        {"devices", "ide,ahci", "ahci"},
        {"devices", "edu", "edu"},
        {"qemu_extra", "-smp 2", "QEMU_EXTRA"},
        {"accel", "kvm", "ACCEL"},
        {"machine", "q35", "MACHINE"},
        {"icount", "yes", "ICOUNT"},
        {"bad_sectors", "ide:1", "BAD_SECTORS"},
        {"monitor", "x => y", "MONITOR"},
        {"serial", "com2", NULL},
        {"serial", "e9", "SERIAL"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(asked); i++) {
        struct machine machine;
        char *message;

        machine_init(&machine);
        assert_int_equal(machine_set(&machine, asked[i].key, asked[i].value, &message), 0);
        assert_null(bochs_lacks(&machine));
        assert_int_equal(machine_set(&machine, "firmware", "bochs", &message), 0);
        message = bochs_lacks(&machine);
        assert_int_equal(message != NULL, asked[i].named != NULL);
        if (message)
            assert_non_null(strstr(message, asked[i].named));
        free(message);
        machine_free(&machine);
    }
}

static void bad_values(void **state)
{
    static const char *const bad[][2] = {
        {"firmware", "coreboot"},
        {"mem", "6X"},
        {"mem", "0"},
        {"mem", "99999999T"},
        {"devices", "floppy,tape"},
        {"serial", "lpt"},
        {"seed", "hello"},
        {"seed", ""},
        {"seed", "0x"},
        {"seed", "123456789abcdef01"},
        {"timeout", "soon"},
        {"timeout", "0"},
        {"name", "../up"},
        {"name", "/etc"},
        {"name", "."},
        {"name", "a/.b"},
        {"icount", "maybe"},
        {"oracle", ""},
        {"bad_sectors", "ide"},
        {"bad_sectors", "edu:1"},
        {"bad_sectors", "ide:1:twice"},
        {"bad_sectors", "ide:1x"},
        {"bad_sectors", "ide:1/2"},
        {"monitor", "no arrow"},
        {"monitor", "( => x"},
        {"monitor", "x => "},
    };
    struct machine machine;
    char *message;

    machine_init(&machine);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_int_equal(machine_set(&machine, bad[i][0], bad[i][1], &message), -EINVAL);
        assert_non_null(message);
        free(message);
    }
    assert_int_equal(machine_set(&machine, "colour", "red", &message), -ENOENT);
    machine_free(&machine);
}

static void sizes(void **state)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {
        {"64M", UINT64_C(64) << 20},
        {"6G", UINT64_C(6) << 30},
        {"1t", UINT64_C(1) << 40},
        {"512k", 512 << 10},
        {"4096", 4096},
    };
    uint64_t bytes;

    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        assert_true(size_parse(good[i].text, &bytes));
        assert_true(bytes == good[i].bytes);
    }
    char *written = size_text(UINT64_C(3840) << 20);
    assert_string_equal(written, "3840M");
    free(written);
}

/* Whatever the settings are, the command that is printed brings them back. */
static void repeat_command(void **state)
{
    struct machine machine;

    machine_init(&machine);
    set(&machine, "FIRMWARE", "bios");
    set(&machine, "MEM", "64G");
    set(&machine, "CPU", "qemu64");
    set(&machine, "ARGS", "tests=k*,paging it's");
    set(&machine, "DEVICES", "floppy,edu");
    char *command = machine_repeat_command(&machine, "1f");
    assert_string_equal(command, "make run FIRMWARE=bios CPU=qemu64 MEM=64G DEVICES=floppy,edu "
                                 "ARGS='tests=k*,paging it'\\''s depth=smoke seed=1f'");
    free(command);
    set(&machine, "ARGS", "seed=2");
    set(&machine, "DEVICES", "none");
    command = machine_repeat_command(&machine, "1f");
    assert_string_equal(
        command,
        "make run FIRMWARE=bios CPU=qemu64 MEM=64G DEVICES=none ARGS='seed=2 depth=smoke'");
    free(command);
    machine_free(&machine);
}

static void assert_options(const char *args, const char *seed, const char *wanted)
{
    struct machine machine;

    machine_init(&machine);
    set(&machine, "args", args);
    set(&machine, "seed", seed);
    char *options = machine_options(&machine);
    assert_string_equal(options, wanted);
    free(options);
    machine_free(&machine);
}

static void seeds(void **state)
{
    assert_options("tests=kmap", "random", "tests=kmap exit=qemu");
    assert_options("tests=kmap", "7", "tests=kmap exit=qemu seed=7");
    assert_options("seed=8 quiet", "7", "seed=8 quiet exit=qemu");
}

static void bochs(void **state)
{
    struct machine machine;

    machine_init(&machine);
    set(&machine, "firmware", "bochs");
    set(&machine, "mem", "1G");
    assert_int_equal(machine_leave(&machine), LEAVE_OFF);
    char *options = machine_options(&machine);
    assert_string_equal(options, "exit=poweroff");
    char *config = bochs_config(&machine, &files);
    assert_has(config, "memory: guest=1024, host=256\n");
    assert_has(config, "com1: enabled=1, mode=file, dev=\"b/run/x,y/serial.log\"\n");
    assert_has(config, "model=core_duo_t2400_yonah");
    assert_has(config, "1_44=\"b/run/x/floppy.img\"");
    free(config);
    free(options);
    machine_free(&machine);
}

static void sounds(void **state)
{
    const char *const all[] = {"firmware", "bios", "devices", "es1370,ac97,sb16", NULL};
    const char *const none[] = {"firmware", "bios", NULL};
    struct machine machine;
    char *line = qemu_line(all), *config;

    assert_has(line, " -audiodev wav,id=es1370,path=b/run/x/es1370.wav,out.frequency=44100,");
    assert_has(line, " -device ES1370,audiodev=es1370 -audiodev none,id=es1370_source "
                     "-device ES1370,audiodev=es1370_source ");
    assert_has(line, "ac97.wav,out.frequency=48000,");
    assert_has(line, " -device sb16,audiodev=sb16 ");
    free(line);
    line = qemu_line(none);
    assert_lacks(line, "audiodev");
    free(line);

    machine_init(&machine);
    set(&machine, "firmware", "bochs");
    set(&machine, "devices", "sb16,ac97");
    config = bochs_config(&machine, &files);
    assert_has(config, "\nsound: driver=dummy\n");
    assert_has(config, "\nsb16: enabled=1, ");
    assert_has(config, "wavemode=2, wavefile=\"b/run/x/sb16.wav\"\n");
    free(config);
    machine_free(&machine);
}

/* Files of a run whose payload said `log`, and whose AC'97 played nothing: what is wrong. */
static void assert_heard(const char *log, const char *wrong)
{
    char dir[] = "/tmp/paeload-sound-XXXXXX";
    struct words problems = {0};
    struct machine machine;
    FILE *serial;

    assert_non_null(mkdtemp(dir));
    struct run_files run = {.dir = dir, .serial = text("%s/serial.log", dir)};
    serial = fopen(run.serial, "w");
    assert_non_null(serial);
    fputs(log, serial);
    fclose(serial);
    machine_init(&machine);
    set(&machine, "devices", "ac97");
    sound_check(&machine, &run, &problems);
    assert_int_equal(problems.count, wrong != NULL);
    if (wrong)
        assert_has(problems.at[0], wrong);
    words_free(&problems);
    machine_free(&machine);
    unlink(run.serial);
    rmdir(dir);
    free(run.serial);
}

static void silence(void **state)
{
    assert_heard("ok 1 x\r\n", NULL);
    assert_heard("# sound es1370 s16x2 block 0 bytes 8\r\n", NULL);
    assert_heard("    # sound ac97_2 s16x2 block 0 bytes 8\r\n", NULL);
    assert_heard("    # sound ac97 s16x2 block 0 bytes 8 muted\r\n", NULL);
    assert_heard("    # sound ac97 s16x2 block 0 bytes 8\r\n",
                 "block 0 of ac97 ends at byte 0 of 8");
    assert_heard("    # sound ac97 what\r\n", "names no block");
}

static void oracle(void **state)
{
    const char *const some[] = {"firmware", "bios", "oracle", "basic,kmap_full", NULL};
    const char *const all[] = {"firmware", "bios", "args", "seed=1", "oracle", "yes", NULL};
    const char *const none[] = {"firmware", "bios", "oracle", "no", NULL};
    struct machine machine;
    struct words argv = {0};
    char *line = qemu_line(some);

    assert_has(line,
               " -device pvpanic -action panic=pause -qmp unix:b/run/x/qmp,server=on,wait=on ");
    assert_has(line, " exit=qemu oracle=basic,kmap_full ");
    free(line);
    line = qemu_line(all);
    assert_has(line, " seed=1 exit=qemu oracle ");
    free(line);
    line = qemu_line(none);
    assert_lacks(line, "oracle");
    assert_lacks(line, "pvpanic");
    free(line);

    machine_init(&machine);
    set(&machine, "firmware", "bochs");
    line = bochs_config(&machine, &files);
    assert_lacks(line, "magic_break");
    free(line);
    set(&machine, "oracle", "yes");
    line = bochs_config(&machine, &files);
    assert_has(line, "\nmagic_break: enabled=1\n");
    free(line);
    bochs_command(&machine, &files, &argv);
    line = words_join(&argv);
    assert_has(line, "-rc b/run/x/bochs.rc -dbglog b/run/x/bochs.debug");
    free(line);
    line = machine_repeat_command(&machine, "");
    assert_has(line, " ORACLE=yes");
    free(line);
    words_free(&argv);
    machine_free(&machine);
}

static void disks(void **state)
{
    const char *const settings[] = {
        "firmware", "bios",           "devices",
        "ide,ahci", "bad_sectors",    "ide:100, ide:200:once, ahci:1800/16384",
        "monitor",  "^x => info pci", NULL};
    char *line = qemu_line(settings);

    assert_has(line, " if=ide,id=disk0,format=raw,cache=unsafe,file.driver=blkdebug,"
                     "file.image.driver=file,file.image.filename=b/run/x/disk.img,"
                     "file.inject-error.0.event=none,");
    assert_has(line, ",file.inject-error.0.sector=100,file.inject-error.1.event=none,");
    assert_has(line, ",file.inject-error.1.sector=200,file.inject-error.1.once=on ");
    assert_has(line, ",file.inject-error.1.sector=18184 ");
    assert_has(line, " if=none,id=sata0,format=raw,cache=unsafe,file.driver=blkdebug,");
    assert_has(line, " -device ich9-ahci,id=ahci -device ide-hd,bus=ahci.0,drive=sata0 ");
    assert_has(line, " -qmp unix:b/run/x/monitor,server=on,wait=on ");
    free(line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_default),      cmocka_unit_test(q35_gets_the_old_devices),
        cmocka_unit_test(beyond_the_host), cmocka_unit_test(exit_is_left_alone),
        cmocka_unit_test(extra_words),     cmocka_unit_test(serial_ports),
        cmocka_unit_test(bad_values),      cmocka_unit_test(unknown_device),
        cmocka_unit_test(bochs_lacking),   cmocka_unit_test(sizes),
        cmocka_unit_test(repeat_command),  cmocka_unit_test(sounds),
        cmocka_unit_test(silence),         cmocka_unit_test(oracle),
        cmocka_unit_test(seeds),           cmocka_unit_test(bochs),
        cmocka_unit_test(disks),
    };

    return cmocka_run_group_tests_name("runner_machine", tests, NULL, NULL);
}
