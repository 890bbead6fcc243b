# SPDX-License-Identifier: BSD-2-Clause
#
# Stack depth, proved from the call graphs that gcc leaves beside the payload's objects: no path
# overruns its stack, with an interrupt and a fault on top; nothing calls itself. See ci/stack/main.c
# and ci/stack.cfg.
#
#   make stack               the deepest path of each entry, and what each check adds up to
#   make stack-check         the same, silent; part of `make test`
#   make stack-file FILE= [CFG=]   one source of ours; CFG: its own table, FILE's name in .cfg
#   make stack-planted       what is wrong in ci/static/planted/stack-*.c is found, and named

STACK := $(BUILD)/ci/stack
STACK_SRCS := $(sort $(wildcard ci/stack/*.c))

$(STACK): $(STACK_SRCS:%.c=$(BUILD)/ci/obj/%.o)
	$(HOSTCC) $^ -o $@

.PHONY: stack stack-check stack-file stack-planted
stack: $(STACK) $(P_OBJS)
	@$(STACK) -v -b $(BUILD)/obj/ ci/stack.cfg $(P_OBJS)

stack-check: $(STACK) $(P_OBJS)
	@$(STACK) -b $(BUILD)/obj/ ci/stack.cfg $(P_OBJS)

stack-file: $(STACK) $(BUILD)/obj/$(FILE).o
	@$(STACK) -b $(BUILD)/obj/ $(or $(CFG),$(FILE:.c=.cfg)) $(BUILD)/obj/$(FILE).o

# The line `WANTED:` of a planted file is what the check must say of it.
STACK_PLANTED := $(wildcard ci/static/planted/stack-*.c)
stack-planted: $(STACK) $(STACK_PLANTED:%=$(BUILD)/obj/%.o)
	@failed=0; for file in $(STACK_PLANTED); do \
		wanted=$$(sed -n 's/^ \* WANTED: //p' $$file); \
		$(STACK) -b $(BUILD)/obj/ $${file%.c}.cfg $(BUILD)/obj/$$file.o >$(BUILD)/ci/stack-planted.log 2>&1 && \
			{ echo "$$file: not refused"; failed=1; }; \
		grep -qF "$$wanted" $(BUILD)/ci/stack-planted.log || \
			{ echo "$$file: not told: $$wanted"; cat $(BUILD)/ci/stack-planted.log; failed=1; }; \
	done; exit $$failed
