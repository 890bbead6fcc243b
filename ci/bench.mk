# SPDX-License-Identifier: BSD-2-Clause
#
# What operations cost.
#
#   make bench            counts instructions, exactly, and compares them with ci/bench-baseline.json;
#                         then times alternatives by the wall clock
#   make bench-baseline   makes what was measured the baseline

BENCH := $(BUILD)/ci/bench
BENCH_SRCS := $(wildcard ci/bench/*.c) ci/runner/words.c
BENCH_BASELINE := ci/bench-baseline.json
BENCH_MACHINE := FIRMWARE=bios MACHINE=pc MEM=6G CPU=coreduo,+pse36,+nx DEVICES=none
BENCH_COUNT = $(RUNNER) -b $(BUILD) run NAME=bench $(BENCH_MACHINE) ICOUNT=yes ARGS='tests=bench seed=1 depth=full'
BENCH_TIME = $(RUNNER) -b $(BUILD) run NAME=bench_ratio $(BENCH_MACHINE) ARGS='tests=bench_ratio seed=1 depth=full'
BENCH_COMPARE = $(BENCH) -b $(BUILD) -r README.md $(BENCH_BASELINE)

$(BENCH): $(BENCH_SRCS:%.c=$(BUILD)/ci/obj/%.o)
	$(HOSTCC) $^ -ljansson -lm -o $@

.PHONY: bench bench-baseline
bench:
	$(BUILD_FIRST) all $(RUNNER) $(BENCH) >$(BUILD)/make.log || { cat $(BUILD)/make.log; exit 1; }
	@rm -rf $(BUILD)/run/bench $(BUILD)/run/bench_ratio $(BUILD)/bench.json
	@$(BENCH_COUNT)
	@$(BENCH_TIME)
	@$(BENCH_COMPARE)

bench-baseline: $(BENCH)
	cp $(BUILD)/bench.json $(BENCH_BASELINE)
	-$(BENCH_COMPARE)
