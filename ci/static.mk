# SPDX-License-Identifier: BSD-2-Clause
#
# Static guards: each is a target static-NAME, silent when all is well, and one line of `make test`.
# Everything lies below $(BUILD)/static, a result beside each source that was looked at, so that a
# file is looked at again only when it, a header of it, or the guard has changed.
#
#   make static                  all of them
#   make static-tidy             one of them, -k to see every finding
#   make static-planted          each guard is shown a fault, and must name it

STATIC := $(BUILD)/static
STATIC_GUARDS := includes sparse stack clang clang-boot analyzer tidy cppcheck reproducible planted

# The sources in the groups that share compiler flags.
# The planted faults are code for nobody.
S_HOST_SRCS := $(filter-out %/tests/%,$(sort $(wildcard ci/*.c ci/*/*.c)))
S_HOST_SRCS := $(filter-out ci/unit/% ci/static/%,$(S_HOST_SRCS))
S_SRCS_payload = $(filter %.c,$(P_SRCS))
S_SRCS_x64 = $(filter %.c,$(L_SRCS))
S_SRCS_ia32 = $(filter %.c,$(L_SRCS))
S_SRCS_host = $(S_HOST_SRCS)

S_FLAGS_payload = $(filter-out $(P_FRAME_gcc) $(P_ALIGN_gcc),$(P_CFLAGS)) $(call p_march,$<) $(call p_strict,$<)
S_FLAGS_x64 = $(filter-out gcc clang,$(L_CC_x64)) $(L_CFLAGS)
S_FLAGS_ia32 = $(filter-out $(PCC),$(L_CC_ia32)) $(L_CFLAGS)
S_FLAGS_host = $(HOST_CFLAGS) $(XML_CFLAGS:-I%=-isystem %)

S_GCC_payload = $(PCC_gcc)
S_GCC_x64 = gcc
S_GCC_ia32 = $(PCC_gcc)
S_GCC_host = gcc

S_TARGET_payload = --target=i686-linux-gnu
S_TARGET_ia32 = --target=i686-linux-gnu

# What one guard leaves for one group.
s_results = $(S_SRCS_$(2):%=$(STATIC)/$(1)/$(2)/%.ok)

# gcc's analyzer, in C only. It keeps no track of memory whose only owner is an element of an array
# that grew, or of a structure that is returned; these files' lists live until the program ends.
S_ANALYZER_OFF_ci/symtab.c := -Wno-analyzer-malloc-leak
S_ANALYZER_OFF_ci/stack/graph.c := -Wno-analyzer-malloc-leak
S_ANALYZER_OFF_ci/stack/depth.c := -Wno-analyzer-malloc-leak
S_ANALYZER_OFF_ci/stack/table.c := -Wno-analyzer-malloc-leak -Wno-analyzer-possible-null-argument

define static_analyzer
$(STATIC)/analyzer/$(1)/%.c.ok: %.c ci/static.mk
	@mkdir -p $$(@D)
	@$$(S_GCC_$(1)) $$(S_FLAGS_$(1)) -fanalyzer $$(S_ANALYZER_OFF_$$<) \
		-MMD -MP -MT $$@ -MF $$(@:.ok=.d) -c $$< -o $$(@:.ok=.o)
	@touch $$@
endef
$(foreach g,payload x64 ia32 host,$(eval $(call static_analyzer,$(g))))

.PHONY: static-analyzer
static-analyzer: $(foreach g,payload x64 ia32 host,$(call s_results,analyzer,$(g)))

# clang-tidy: the checks are in .clang-tidy. Of its analyzer a tenth of the states that it walks
# through by default: gcc's goes deep, and finds more. The list of headers comes from the preprocessor.
S_TIDY_EFFORT := -Xclang -analyzer-config -Xclang max-nodes=20000
# It stands for functions of the C library, whose parameters have reserved names.
S_TIDY_OFF_ci/trace/preload.c := --checks=-readability-inconsistent-declaration-parameter-name
# Functions that clang calls by itself, with parameters as it wants them.
S_TIDY_OFF_ci/model/access.c := --checks=-readability-non-const-parameter
# It looks into what is static in those.
S_TIDY_OFF_ci/model/under_test.c := --checks=-bugprone-suspicious-include
# Atomic operations that are the compiler's own (lib/x86/atomic.h) count as reads there.
$(foreach f,$(wildcard ci/model/dma_*.c),$(eval S_TIDY_OFF_$(f) := --checks=-readability-non-const-parameter))
# What an owner is has the order in which it is read.
$(foreach f,$(wildcard ci/model/page_*.c),$(eval S_TIDY_OFF_$(f) := --checks=-readability-non-const-parameter,-clang-analyzer-optin.performance.Padding))
define static_tidy
$(STATIC)/tidy/$(1)/%.c.ok: %.c .clang-tidy ci/static.mk
	@mkdir -p $$(@D)
	@clang $$(S_TARGET_$(1)) $$(S_FLAGS_$(1)) -w -M -MP -MT $$@ -MF $$(@:.ok=.d) $$<
	@clang-tidy --quiet $$(S_TIDY_OFF_$$<) $$< -- $$(S_TARGET_$(1)) $$(S_FLAGS_$(1)) \
		$(S_TIDY_EFFORT) >$$(@:.ok=.log) 2>&1 || \
		{ cat $$(@:.ok=.log); exit 1; }
	@touch $$@
endef
$(foreach g,payload x64 host,$(eval $(call static_tidy,$(g))))

.PHONY: static-tidy
static-tidy: $(foreach g,payload x64 host,$(call s_results,tidy,$(g)))

# cppcheck keeps its own notes of what has changed, and sees across the files of a group.
S_CPPCHECK = cppcheck --quiet --std=c11 -I. --inline-suppr --suppressions-list=ci/static/cppcheck.txt \
	--enable=warning,style,performance,portability --error-exitcode=1 \
	--template='{file}:{line}: {severity} [{id}] {message}'
S_CPPCHECK_payload := --platform=unix32 -D__STDC_HOSTED__=0 -D__i386__=1
S_CPPCHECK_x64 := --platform=unix64 -D__STDC_HOSTED__=0 -D__x86_64__=1
S_CPPCHECK_host := --platform=unix64 -D__STDC_HOSTED__=1 -D__x86_64__=1 -D_GNU_SOURCE \
	--library=gnu,posix

define static_cppcheck
$(STATIC)/cppcheck/$(1).ok: $$(S_SRCS_$(1)) $$(S_HEADERS) ci/static/cppcheck.txt ci/static.mk
	@mkdir -p $(STATIC)/cppcheck/$(1)
	@$$(S_CPPCHECK) $$(S_CPPCHECK_$(1)) --cppcheck-build-dir=$(STATIC)/cppcheck/$(1) \
		$$(S_SRCS_$(1))
	@touch $$@
endef
S_HEADERS := $(sort $(shell find ci drivers lib loader paging payload -name '*.h'))
$(foreach g,payload x64 host,$(eval $(call static_cppcheck,$(g))))

.PHONY: static-cppcheck
static-cppcheck: $(foreach g,payload x64 host,$(STATIC)/cppcheck/$(g).ok)

# The same targets from clang: payload, loader, host tools; and that payload boots.
S_CLANG := $(STATIC)/clang
S_CLANG_GOALS := tools
S_CLANG_ARGS := depth=sparse
.PHONY: static-clang static-clang-boot
static-clang:
	@$(MAKE) --no-print-directory --silent BUILD=$(S_CLANG) COMPILER=clang HOSTCC=clang $(S_CLANG_GOALS)

static-clang-boot: static-clang $(RUNNER)
	@$(RUNNER) -b $(S_CLANG) run NAME=clang FIRMWARE=bios MEM=1G ARGS="$(S_CLANG_ARGS)"

# Who includes whom, include guards, licence lines. In seconds, so it looks at everything each time.
# The sources: all that is built, and what builds it. The planted faults are none.
S_FOLDERS := .ci ci drivers lib loader paging payload
S_FILES := Makefile README.md .clang-format .clang-tidy \
	$(sort $(shell find $(S_FOLDERS) -path ci/static/planted -prune -o -path ci/fuzz/corpus -prune -o -path 'ci/*/recorded/*.txt' -prune -o -type f ! -name '*.json' -print))

$(BUILD)/ci/includes: ci/includes.c ci/static.mk
	@mkdir -p $(@D)
	$(HOSTCC) $(HOST_CFLAGS) $< -o $@

.PHONY: static-includes
static-includes: $(BUILD)/ci/includes
	@$(BUILD)/ci/includes $(S_FILES)

.PHONY: static-format
static-format:
	@clang-format --dry-run -Werror $(FORMATTED)

# In their own fragments.
.PHONY: static-sparse static-stack
static-sparse: sparse
static-stack: stack-check

# Two clean builds of what ships, from copies of the sources in two places, with all that a build
# should not depend on different: path, its length, age of the files, umask, time zone, language,
# home, number of jobs.
S_REPRODUCIBLE := $(STATIC)/reproducible
S_SHIPPED := paeload-x64.efi paeload-ia32.efi paeload.elf paeload.iso
S_ONE := $(S_REPRODUCIBLE)/one
S_TWO := $(S_REPRODUCIBLE)/two/of/another/length
S_TWO_IS := TZ=Asia/Kathmandu LANG=tr_TR.UTF-8 LC_ALL=tr_TR.UTF-8 HOME=/nonexistent
S_PLANT := # planted: a source that is built into the copies

# $(1): folder, $(2): umask, $(3): age of the files, $(4): environment and make options
s_clean_build = umask $(2) && mkdir -p $(1) && \
	tar cf - $(S_FILES) | tar xf - --no-same-permissions -C $(1) && \
	$(if $(S_PLANT),cp $(S_PLANT) $(1)/lib/ &&) \
	find $(1) -type f -exec touch -d $(3) {} + && \
	env -i PATH="$$PATH" $(4) $(MAKE) -C $(1) $(S_SHIPPED:%=build/%) >$(1)/make.log 2>&1 || \
		{ cat $(1)/make.log; exit 1; }

.PHONY: static-reproducible
static-reproducible: $(S_REPRODUCIBLE)/same.ok

$(S_REPRODUCIBLE)/same.ok: $(S_FILES)
	@rm -rf $(S_REPRODUCIBLE)
	@$(call s_clean_build,$(S_ONE),022,2024-02-29,TZ=UTC LANG=C HOME=/)
	@$(call s_clean_build,$(S_TWO),077,2001-09-09T01:46:40,$(S_TWO_IS))
	@same=0; for file in $(S_SHIPPED); do \
		cmp $(S_ONE)/build/$$file $(S_TWO)/build/$$file || same=1; \
	done; exit $$same
	@touch $@

# Guards guarded: each is given a fault that stands in ci/static/planted, by the very rule that looks
# at our sources, and has to fail and to name it. $(call planted,NAME,WHAT IT MUST SAY,MAKE ARGUMENTS)
# adds one; in the arguments $(S_FAULTS) is the folder of the faults, $(S_SHOWN) where results go.
S_FAULTS := ci/static/planted
S_SHOWN = $(STATIC)/planted/$(1)
S_PLANTED :=

define planted_rule
S_PLANTED += static-planted-$(1)
.PHONY: static-planted-$(1)
static-planted-$(1):
	@rm -rf $(STATIC)/planted/$(1)
	@if said=$$$$($$(MAKE) --no-print-directory STATIC=$(STATIC)/planted/$(1) $(3) 2>&1); then \
		echo 'MISSED $(1)'; exit 1; \
	fi; \
	case "$$$$said" in \
	*'$(2)'*) echo 'caught $(1): $(2)' ;; \
	*) echo "$$$$said"; echo 'MISSED $(1): it failed without a word of "$(2)"'; exit 1 ;; \
	esac
endef
planted = $(eval $(call planted_rule,$(1),$(2),$(3)))

s_planted_ok = $(STATIC)/planted/$(1)/$(2)/$(S_FAULTS)/$(3).ok
$(call planted,includes,$(S_FAULTS)/includes.c:2: includes drivers/dma.h,\
	static-includes S_FILES="$(S_FAULTS)/includes.c drivers/dma.h")
$(call planted,format,$(S_FAULTS)/format.c:2,static-format FORMATTED=$(S_FAULTS)/format.c)
$(call planted,clang,-Wtautological,\
	static-clang S_CLANG_GOALS=$(STATIC)/planted/clang/clang/obj/$(S_FAULTS)/clang.c.o)
$(call planted,clang-boot,clang: FAIL,static-clang-boot S_CLANG=$(STATIC)/clang \
	S_CLANG_ARGS="depth=sparse tests=paging inject=paging_text_writable")
$(call planted,analyzer,analyzer-malloc-leak,\
	$(call s_planted_ok,analyzer,analyzer/host,leak.c))
$(call planted,analyzer-payload,analyzer-null-dereference,\
	$(call s_planted_ok,analyzer-payload,analyzer/payload,null.c))
$(call planted,tidy,bugprone-implicit-widening-of-multiplication-result,\
	$(call s_planted_ok,tidy,tidy/payload,widening.c))
$(call planted,tidy-header,ci/static/planted/parentheses.h:5,\
	$(call s_planted_ok,tidy-header,tidy/host,header.c))
$(call planted,cppcheck,[uninitvar],\
	static-cppcheck S_SRCS_payload=$(S_FAULTS)/uninitialised.c)
$(call planted,reproducible,build_time.c.o differ,\
	static-reproducible S_PLANT=$(S_FAULTS)/build_time.c S_SHIPPED=obj/lib/build_time.c.o)

.PHONY: static static-planted
static-planted: $(S_PLANTED) sparse-planted stack-planted

static: $(STATIC_GUARDS:%=static-%)

# For `make test`: a line each, and the next one runs when one has failed. Those that build one thing
# after the other run beside the smoke boot.
STATIC_ALONGSIDE := reproducible planted
define static_test_line
$(TEST_RUNNER) check static $(1) $(MAKE) --no-print-directory -k -j$(2) static-$(1) || :

endef
static_test = $(foreach g,$(filter-out $(STATIC_ALONGSIDE),$(STATIC_GUARDS)),$(call static_test_line,$(g),$(shell nproc)))
static_test_alongside = $(foreach g,$(STATIC_ALONGSIDE),$(call static_test_line,$(g),1))
