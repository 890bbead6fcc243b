# SPDX-License-Identifier: BSD-2-Clause
#
# What happens on the host: packages, tools of the build, runs in emulators, tests.
#
#   make run         one run; settings: FIRMWARE MEM CPU ARGS QEMU_EXTRA and the others of
#                    ci/runner/machine.h
#   make test        everything, with "N passed, N failed" at the end
#   make matrix      the machines of ci/matrix.cfg; ONLY="bios-* bochs" picks some
#   make fuzz        looks for faults in what has a model (ci/model.mk), FUZZ_SECONDS (60) each
#   make mutations   the payload broken on purpose; ONLY="kmap" picks some

# Packages. The stamp is a makefile that make brings up to date, and then reads, before it builds
# anything: so nothing is compiled on a machine where something is missing.
DEPS_NOT_FOR := clean
ifneq ($(filter-out $(DEPS_NOT_FOR),$(or $(MAKECMDGOALS),all)),)
ifeq ($(findstring n,$(filter-out ---%,$(firstword -$(MAKEFLAGS)))),)
include $(BUILD)/deps.stamp
endif
endif

$(BUILD)/deps.stamp: ci/packages ci/deps
	@mkdir -p $(@D)
	@sh ci/deps ci/packages
	@touch $@

HOSTCC ?= gcc
HOST_WARNINGS := -Wall -Wextra -Werror -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wshadow
HOST_CFLAGS := -std=gnu11 -O2 -g -I. -D_GNU_SOURCE $(HOST_WARNINGS)
XML_CFLAGS = $(shell pkg-config --cflags libxml-2.0)
XML_LIBS = $(shell pkg-config --libs libxml-2.0)

$(BUILD)/ci/symtab: ci/symtab.c ci/array.h ci/ci.mk
	@mkdir -p $(@D)
	$(HOSTCC) $(HOST_CFLAGS) $< -o $@

# The runner.
RUNNER := $(BUILD)/ci/runner
RUNNER_SRCS := $(sort $(wildcard ci/runner/*.c ci/oracle/*.c)) lib/crc32c.c paging/fragmentation.c
RUNNER_OBJS := $(RUNNER_SRCS:%.c=$(BUILD)/ci/obj/%.o)

$(BUILD)/ci/obj/%.o: %.c ci/ci.mk
	@mkdir -p $(@D)
	$(HOSTCC) $(HOST_CFLAGS) $(if $(findstring report_junit,$<),$(XML_CFLAGS)) -MMD -MP -c $< -o $@

$(RUNNER): $(RUNNER_OBJS)
	$(HOSTCC) $^ $(XML_LIBS) -lutil -lm -o $@

include ci/bench.mk

# Unit tests; those of the runner need these of its sources.
test_runner_ktap_SRCS := ci/runner/ktap.c ci/runner/ktap_check.c ci/runner/words.c
RUNNER_MACHINE_SRCS := ci/runner/machine.c ci/runner/machine_options.c ci/runner/devices.c ci/runner/host.c ci/runner/qemu.c ci/runner/bochs.c ci/runner/disks.c ci/runner/monitor.c ci/runner/qmp.c ci/runner/oracle_arguments.c ci/runner/sound.c ci/runner/wav.c ci/runner/wire.c
test_runner_judge_SRCS := ci/runner/judge.c $(RUNNER_MACHINE_SRCS) $(test_runner_ktap_SRCS)
test_runner_machine_SRCS := $(RUNNER_MACHINE_SRCS) ci/runner/words.c
test_runner_wav_SRCS := ci/runner/wav.c ci/runner/words.c
test_runner_table_SRCS := ci/runner/table.c ci/runner/words.c
test_runner_image_SRCS := ci/runner/image.c ci/runner/written.c
test_runner_inject_SRCS := ci/runner/inject_list.c ci/runner/words.c
LAB_LOG_SRCS := ci/runner/lab_log.c ci/runner/lab_read.c paging/fragmentation.c
SVG_SRCS := ci/runner/svg.c ci/runner/svg_cells.c ci/runner/svg_scale.c ci/runner/markup.c
test_lab_log_SRCS := $(LAB_LOG_SRCS) $(test_runner_ktap_SRCS)
test_svg_SRCS := $(SVG_SRCS) ci/runner/words.c
test_svg_LIBS := -lm
test_report_html_SRCS := $(wildcard ci/runner/report_html.c ci/runner/report_lab*.c) \
	ci/runner/report_style.c $(SVG_SRCS) $(LAB_LOG_SRCS) $(test_runner_judge_SRCS)
test_report_html_LIBS = $(XML_LIBS) -lm
test_report_html_CFLAGS = $(XML_CFLAGS)
test_bench_figures_SRCS := ci/bench/figures.c ci/bench/table.c ci/runner/words.c
test_bench_figures_LIBS := -ljansson -lm
test_stack_SRCS := ci/stack/graph.c ci/stack/callgraph.c ci/stack/object.c ci/stack/table.c \
	ci/stack/depth.c
report_junit_CFLAGS = $(XML_CFLAGS)
test_run_CFLAGS = $(XML_CFLAGS)
$(BUILD)/host/obj/ci/runner/%.o: UNIT_CFLAGS += -D_GNU_SOURCE
$(BUILD)/host/obj/ci/unit/test_lab_log.o $(BUILD)/host/obj/ci/unit/test_svg.o: UNIT_CFLAGS += -D_GNU_SOURCE
$(BUILD)/host/obj/ci/unit/test_report_html.o: UNIT_CFLAGS += -D_GNU_SOURCE
$(BUILD)/host/obj/ci/stack/%.o: UNIT_CFLAGS += -D_GNU_SOURCE
$(BUILD)/host/obj/ci/unit/test_stack.o: UNIT_CFLAGS += -D_GNU_SOURCE
test_oracle_SRCS := $(wildcard ci/oracle/*.c) ci/runner/words.c
test_runner_qmp_SRCS := ci/runner/qmp.c ci/runner/words.c
$(BUILD)/host/obj/ci/oracle/%.o: UNIT_CFLAGS += -D_GNU_SOURCE
test_includes_CFLAGS := -D_GNU_SOURCE
include ci/unit/unit.mk
include ci/model.mk

# This one is linked with all of the runner but its main, and plays the emulator itself.
RUNNER_TEST := $(BUILD)/host/test_runner_run
RUNNER_TEST_SRCS := ci/runner/tests/test_run.c \
	$(filter-out $(addprefix ci/runner/,main.c checks.c covered.c matrix.c mutations.c),$(RUNNER_SRCS))
UNIT_TESTS += $(RUNNER_TEST)
$(RUNNER_TEST): $(RUNNER_TEST_SRCS:%.c=$(BUILD)/host/obj/%.o) $(UNIT_LIB)
	$(HOSTCC) $(UNIT_CFLAGS) $^ -lcmocka $(XML_LIBS) -lutil -lm -o $@

# Runs. The inner make builds in parallel, whatever the outer one was told.
PARALLEL = $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))
BUILD_FIRST = +@$(MAKE) --no-print-directory $(PARALLEL)
shell_quote = '$(subst ','\'',$(1))'

# A setting counts when it was given on make's command line or in the environment, where NAME is too
# common a name.
RUN_SETTINGS := SEED FIRMWARE MACHINE CPU MEM DEVICES SERIAL ARGS QEMU_EXTRA ACCEL VGA ICOUNT ORACLE BAD_SECTORS MONITOR TIMEOUT SILENCE
run_setting = $(if $(filter $(2),$(origin $(1))),$(1)=$(call shell_quote,$($(1))))
run_settings = $(foreach s,$(RUN_SETTINGS),$(call run_setting,$(s),command environment)) \
	$(call run_setting,NAME,command)

RUN_NEEDS_ovmf-x64 := $(BUILD)/paeload-x64.efi
RUN_NEEDS_ovmf-ia32 := $(BUILD)/paeload-ia32.efi
RUN_NEEDS_ipxe-bios := netboot
RUN_NEEDS_ipxe-uefi := netboot
RUN_NEEDS_pxe-ia32 := netboot
RUN_NEEDS = $(or $(RUN_NEEDS_$(or $(FIRMWARE),ovmf-x64)),$(BUILD)/paeload.elf)

.PHONY: run
run:
	$(BUILD_FIRST) $(RUNNER) $(RUN_NEEDS) >$(BUILD)/make.log || { cat $(BUILD)/make.log; exit 1; }
	@$(RUNNER) -b $(BUILD) run $(run_settings)

# Tables draw the same random numbers each time; SEED=random: others, as `make run` does.
TABLE_SEED = -s $(or $(SEED),1)

.PHONY: matrix
matrix:
	$(BUILD_FIRST) $(RUNNER) all netboot
	@$(RUNNER) -b $(BUILD) $(TABLE_SEED) matrix ci/matrix.cfg $(ONLY)

.PHONY: mutations
mutations:
	$(BUILD_FIRST) $(RUNNER) $(BUILD)/paeload.elf
	@$(RUNNER) -b $(BUILD) $(TABLE_SEED) mutations ci/mutations.cfg $(ONLY)

# Each stage adds to the tally, and the next one runs all the same; the tally decides.
TALLY := $(BUILD)/test/tally
TEST_STAGES := units format fuzz static smoke prove bench trace matrix devices mutations
TEST_RUNNER = @$(RUNNER) -b $(BUILD) -t $(TALLY) $(TABLE_SEED)
FORMATTED = $(shell find ci drivers lib loader paging payload -name '*.[ch]' ! -path 'ci/static/planted/*')

# Each of these keeps one processor busy for a minute.
.PHONY: test-smoke test-bench test-trace test-static
test-smoke:
	$(TEST_RUNNER) run NAME=smoke MEM=2G ARGS=depth=smoke SEED=$(or $(SEED),1) || :
	$(TEST_RUNNER) check prove prove prove --exec cat $(BUILD)/run/smoke/serial.log || :

test-bench:
	$(TEST_RUNNER) check bench counted $(BENCH_COUNT) || :
	$(TEST_RUNNER) check bench compared $(BENCH_COMPARE) || :

test-trace:
	$(TEST_RUNNER) check trace trace sh ci/trace/check $(BUILD) || :

test-static:
	$(static_test_alongside)

.PHONY: test test-build tools
tools: all netboot $(RUNNER) $(BENCH)
test-build: tools $(UNIT_TESTS) $(FUZZERS)

test:
	@mkdir -p $(BUILD)/test
	@rm -f $(TALLY)
	$(BUILD_FIRST) test-build || { echo '0 passed, 1 failed'; exit 1; }
	@echo 'unit tests'
	$(TEST_RUNNER) units $(UNIT_TESTS) || :
	@echo 'checks'
	$(TEST_RUNNER) check format clang-format $(MAKE) --no-print-directory static-format || :
	$(TEST_RUNNER) check fuzz fuzz_kmap $(call fuzz_check,kmap) || :
	$(TEST_RUNNER) check fuzz fuzz_dma $(call fuzz_check,dma) || :
	$(TEST_RUNNER) check fuzz fuzz_page $(call fuzz_check,page) || :
	$(static_test)
	@echo 'smoke boot, bench, instruction traces, builds compared'
	+@$(MAKE) --no-print-directory -k -Otarget -j$(shell nproc) test-static test-smoke test-bench test-trace || :
	@echo 'matrix'
	$(TEST_RUNNER) matrix ci/matrix.cfg || :
	@echo 'devices'
	$(TEST_RUNNER) covered ci/covered.cfg ci/matrix.cfg || :
	@echo 'mutations'
	$(TEST_RUNNER) mutations ci/mutations.cfg || :
	$(TEST_RUNNER) tally $(TEST_STAGES)
