# SPDX-License-Identifier: BSD-2-Clause
#
# Instruction traces.
#
#   make trace       a suite in Bochs, traced between the payload's marks: SUITE CASE BOCHS_CPU MEM
#                    ARGS FUNCTION LIMIT CASE_LIMIT TOP OUT; see ci/trace/settings.h
#   make trace-diff  where two traces part: A B COMPARE WINDOW TOP; see ci/trace/diff.h

TRACE := $(BUILD)/ci/trace
TRACE_SRCS := $(sort $(filter-out ci/trace/preload.c,$(wildcard ci/trace/*.c)))
TRACE_RUNNER_SRCS := $(filter-out $(addprefix ci/runner/,main.c checks.c matrix.c mutations.c),$(RUNNER_SRCS))
TRACE_LIBS := -ldw -lelf -lz -lpthread
TRACE_PRELOAD := $(BUILD)/ci/trace-preload.so

$(TRACE): $(patsubst %.c,$(BUILD)/ci/obj/%.o,$(TRACE_SRCS) $(TRACE_RUNNER_SRCS)) | $(TRACE_PRELOAD)
	$(HOSTCC) $^ $(XML_LIBS) $(TRACE_LIBS) -lutil -lm -o $@

$(TRACE_PRELOAD): ci/trace/preload.c ci/trace.mk
	@mkdir -p $(@D)
	$(HOSTCC) $(HOST_CFLAGS) -fPIC -shared $< -ldl -o $@

TRACE_SETTINGS := SUITE CASE BOCHS_CPU MEM DEVICES ARGS TIMEOUT FUNCTION LIMIT CASE_LIMIT TOP OUT
TRACE_NEEDS := $(TRACE) $(BUILD)/paeload.elf $(BUILD)/paeload.debug.elf
trace_settings = $(foreach s,$(1),$(call run_setting,$(s),command environment))

# The unit tests, with the small program that the recordings are of.
TRACE_SAMPLE := $(BUILD)/host/trace_sample.elf
TRACE_TEST := $(BUILD)/host/test_trace
TRACE_TEST_SRCS := ci/trace/tests/test_trace.c $(TRACE_RUNNER_SRCS) \
	$(filter-out $(addprefix ci/trace/,main.c commands.c command_diff.c),$(TRACE_SRCS))
UNIT_TESTS += $(TRACE_TEST)
test_trace_CFLAGS = -DSAMPLE='"$(TRACE_SAMPLE)"'
$(BUILD)/host/obj/ci/trace/%.o: UNIT_CFLAGS += -D_GNU_SOURCE
$(TRACE_TEST): $(TRACE_TEST_SRCS:%.c=$(BUILD)/host/obj/%.o) $(UNIT_LIB) | $(TRACE_SAMPLE)
	$(HOSTCC) $(UNIT_CFLAGS) $^ -lcmocka $(XML_LIBS) $(TRACE_LIBS) -lutil -lm -o $@

$(TRACE_SAMPLE): ci/trace/recorded/sample.S ci/trace.mk
	@mkdir -p $(@D)
	$(PCC) -g -c $< -o $(@:.elf=.o)
	$(PLD) -m elf_i386 -Ttext=0x108000 -Tdata=0x200000 -e 0 $(@:.elf=.o) -o $@

tools: $(TRACE)
test-build: $(TRACE_TEST)

.PHONY: trace
trace:
	$(BUILD_FIRST) $(TRACE_NEEDS) >$(BUILD)/make.log || { cat $(BUILD)/make.log; exit 1; }
	@$(TRACE) -b $(BUILD) run $(call trace_settings,$(TRACE_SETTINGS)) $(call run_setting,NAME,command)

.PHONY: trace-diff
trace-diff:
	$(BUILD_FIRST) $(TRACE) >$(BUILD)/make.log || { cat $(BUILD)/make.log; exit 1; }
	@$(TRACE) -b $(BUILD) diff $(call trace_settings,A B COMPARE WINDOW TOP)
