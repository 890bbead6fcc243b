# SPDX-License-Identifier: BSD-2-Clause
#
# paeload: `make` builds, `make run` boots it in QEMU, `make test` runs everything.
# Everything is built out of tree, in $(BUILD); nothing is written anywhere else.

BUILD ?= build
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDARY:

.PHONY: all
all: $(BUILD)/paeload-x64.efi $(BUILD)/paeload-ia32.efi $(BUILD)/paeload.elf $(BUILD)/paeload.iso

include payload/payload.mk
include loader/loader.mk
include ci/ci.mk
include ci/sparse.mk
include ci/stack.mk
include ci/static.mk
include ci/trace.mk

.PHONY: clean
clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
