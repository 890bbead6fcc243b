# SPDX-License-Identifier: BSD-2-Clause
#
# The payload: one ELF32 file, relocatable by its own entry code. See payload/payload.ld.

# COMPILER=clang makes the same targets with clang; give it a BUILD folder of its own.
COMPILER ?= gcc
CROSS ?= i686-linux-gnu-
PCC_gcc := $(CROSS)gcc
PCC_clang := clang --target=i686-linux-gnu
PCC := $(PCC_$(COMPILER))
PLD := $(CROSS)ld
PNM := $(CROSS)nm

WARNINGS := -Wall -Wextra -Werror -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wshadow \
	-Wpointer-arith -Wwrite-strings -Wno-unused-parameter -Wno-sign-compare
# Nothing in here needs a stack aligned to more than its own words.
P_ALIGN_gcc := -mpreferred-stack-boundary=2
P_ALIGN_clang := -mstack-alignment=4
# The largest frame; gcc's also leaves what ci/stack reads.
P_FRAME_gcc := -fcallgraph-info=su -Wstack-usage=640
P_FRAME_clang := -Wframe-larger-than=1024
P_CFLAGS := -std=gnu11 -ffreestanding -O2 -g -I. \
	-mgeneral-regs-only -mregparm=3 -fno-pic -fno-pie -fno-stack-protector -fno-asynchronous-unwind-tables \
	-fcf-protection=none -fno-omit-frame-pointer -fno-strict-aliasing -fno-common \
	-ffile-prefix-map=$(CURDIR)=. $(P_ALIGN_$(COMPILER)) $(P_FRAME_$(COMPILER)) $(WARNINGS)

# What runs before the CPU check must run on any 386, or the refusal itself would die there.
P_ANY_CPU := lib/% drivers/console% drivers/power.c paging/memmap.c payload/early/% payload/report.c
p_march = $(if $(filter $(P_ANY_CPU),$(1)),-march=i386,-march=i686) -mtune=generic
p_strict = $(if $(filter paging/% drivers/dma%,$(1)),-Wconversion)

P_SRCS := $(sort $(wildcard $(foreach d,lib lib/x86 paging drivers payload payload/early payload/tests,$(d)/*.c $(d)/*.S)))
P_OBJS := $(P_SRCS:%=$(BUILD)/obj/%.o)

# Each instruction counts there. A trace of calls through these functions lacks one of their callers.
$(BUILD)/obj/drivers/dma_piece.c.o $(patsubst %,$(BUILD)/obj/paging/%.c.o,page_alloc buddy page_lists page_alloc_slow): P_CFLAGS += -fomit-frame-pointer

$(BUILD)/obj/%.c.o: %.c payload/payload.mk
	@mkdir -p $(@D)
	$(PCC) $(P_CFLAGS) $(call p_march,$<) $(call p_strict,$<) -MMD -MP -c $< -o $@

$(BUILD)/obj/%.S.o: %.S payload/payload.mk
	@mkdir -p $(@D)
	$(PCC) -I. -g -D__ASSEMBLER__ -ffile-prefix-map=$(CURDIR)=. -MMD -MP -c $< -o $@

P_LIBGCC = $(shell $(PCC_gcc) -m32 -print-libgcc-file-name)
P_WRAP := $(patsubst %,--wrap=%,__udivdi3 __umoddi3 __divdi3 __moddi3 \
	__ctzdi2 __clzdi2 __ffsdi2 __popcountdi2 __muldi3 __ashldi3 __lshrdi3 __ashrdi3)
P_LDFLAGS := -m elf_i386 -pie -z notext -z norelro -z noexecstack --no-dynamic-linker --build-id=none \
	--hash-style=sysv --orphan-handling=error -T payload/payload.ld $(P_WRAP)

# The symbol table for back traces stands at the end of the image, so that adding it moves nothing:
# link with an empty one, list the symbols, link again, and see that nothing has moved.
$(BUILD)/paeload-nosym.elf: $(P_OBJS) payload/payload.ld $(BUILD)/obj/symtab-empty.o
	$(PLD) $(P_LDFLAGS) -o $@ $(P_OBJS) $(BUILD)/obj/symtab-empty.o $(P_LIBGCC)

$(BUILD)/obj/symtab-empty.o: $(BUILD)/ci/symtab
	@mkdir -p $(@D)
	$(BUILD)/ci/symtab </dev/null >$(BUILD)/obj/symtab-empty.S
	$(PCC) -c $(BUILD)/obj/symtab-empty.S -o $@

$(BUILD)/obj/symtab.o: $(BUILD)/paeload-nosym.elf $(BUILD)/ci/symtab
	$(PNM) -n $< | $(BUILD)/ci/symtab >$(BUILD)/obj/symtab.S
	$(PCC) -c $(BUILD)/obj/symtab.S -o $@

$(BUILD)/paeload.debug.elf: $(P_OBJS) payload/payload.ld $(BUILD)/obj/symtab.o
	$(PLD) $(P_LDFLAGS) -o $@ $(P_OBJS) $(BUILD)/obj/symtab.o $(P_LIBGCC)
	@$(PNM) -n $@ | $(BUILD)/ci/symtab | cmp - $(BUILD)/obj/symtab.S

# What is booted carries no debug information; addresses are the same in both.
$(BUILD)/paeload.elf: $(BUILD)/paeload.debug.elf
	$(CROSS)strip -s -o $@ $<
