# SPDX-License-Identifier: BSD-2-Clause
# Plinth. `make help` lists what there is. Everything made lands in build/.

CC      ?= gcc
ifeq ($(origin CC),default)
CC      := gcc
endif
HOSTCC  ?= gcc
FUZZCC  ?= clang
PYTHON  := /usr/bin/python3
B       := build
V       ?= 0
Q       := $(if $(filter 1,$(V)),,@)
say      = $(if $(filter 1,$(V)),,@printf '  %-6s %s\n' $(1) $(2);)

# --- what is compiled -----------------------------------------------------------------------
# PURE: no hardware, no inline assembly, no per-CPU data. Compiled twice: freestanding for the
# image, hosted (with sanitizers) for unit tests and fuzzers.
PURE := \
	boot/multiboot2.c \
	core/lib/fmt.c \
	core/bus.c core/command_line.c core/password.c core/lib/sha256.c core/config.c core/config_keys.c core/config_text.c core/config_value.c core/config_words.c core/cpuid.c core/msr.c core/cr.c core/event.c core/log_filter.c core/lineedit.c core/lineedit_keys.c \
	core/guest_acpi.c core/guest_smbios.c core/insn.c core/image.c core/image_linux.c core/image_elf.c core/image_mb1.c core/linux_boot.c core/multiboot1.c core/lines.c core/stringio.c \
	mm/page_alloc.c mm/memmap.c mm/radix.c mm/guest_mem.c mm/guest_walk.c \
	arch/x86/vmx/entry_check.c arch/x86/vmx/caps.c arch/x86/vmx/bitmaps.c \
	arch/x86/flaws.c \
	drivers/hw/acpi_tables.c drivers/hw/acpi_s5.c drivers/hw/framebuffer.c drivers/hw/font.c drivers/hw/scancodes.c \
	core/apic_route.c core/arith.c core/breakpoint.c core/emulate.c core/pvclock.c core/task_switch.c core/runqueue.c core/cap.c core/timerq.c core/trace_ring.c core/observe_add.c core/lib/json.c core/frame.c core/pin.c core/keys.c core/gdb_packet.c core/gdb_target.c core/insn_length.c core/core_text.c mm/guest_trace.c \
	drivers/emu/vuart.c drivers/emu/vdebug.c drivers/emu/vreset.c drivers/emu/vlapic.c \
	drivers/emu/vlapic_regs.c drivers/emu/vlapic_timer.c drivers/emu/vpic.c drivers/emu/vioapic.c \
	drivers/emu/vpit.c drivers/emu/vrtc.c drivers/emu/vpm.c drivers/emu/vkbc.c drivers/emu/vpci.c \
	drivers/emu/vtestdev.c drivers/emu/vfwcfg.c

KERNEL_C := $(filter-out $(PURE),$(sort $(wildcard boot/*.c core/*.c core/lib/*.c mm/*.c \
	arch/x86/*.c arch/x86/vmx/*.c drivers/hw/*.c drivers/emu/*.c))) $(PURE)
KERNEL_C := $(filter-out arch/x86/asm_offsets.c,$(KERNEL_C))
KERNEL_S := $(sort $(wildcard boot/*.S arch/x86/*.S arch/x86/vmx/*.S))
HEADERS  := $(sort $(wildcard boot/*.h core/*.h core/abi/*.h core/lib/*.h mm/*.h arch/x86/*.h \
	arch/x86/vmx/*.h drivers/hw/*.h drivers/emu/*.h))

WARN   := -Wall -Wextra -Werror -Wshadow -Wundef -Wvla -Wpointer-arith -Wwrite-strings \
	-Wstrict-prototypes -Wmissing-prototypes -Wimplicit-fallthrough
FREE    = -std=gnu11 -ffreestanding -nostdinc -isystem $(shell $(CC) -print-file-name=include 2>/dev/null) \
	-fno-pic -fno-pie -mno-red-zone -mgeneral-regs-only -fno-stack-protector \
	-fno-asynchronous-unwind-tables -fno-strict-aliasing -fno-common -fcf-protection=none \
	-fomit-frame-pointer -ffunction-sections -fdata-sections -I. -I$(B)/include \
	-ffile-prefix-map=$(CURDIR)=.
CFLAGS_KERNEL  = $(FREE) $(WARN) -O2 -g -mcmodel=kernel $(if $(filter 1,$(DEBUG)),-DPLINTH_DEBUG) $(DEFINES)
CFLAGS_GUEST   = $(FREE) $(WARN) -O2 -g
CFLAGS_HOST   := -std=gnu11 $(WARN) -O1 -g -I. -I$(B)/include
SAN           := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
ifneq ($(findstring clang,$(CC)),)
FREE += -Wno-unused-command-line-argument -Wno-interrupt-service-routine
CFLAGS_KERNEL += -mstack-alignment=8
else
CFLAGS_KERNEL += -mpreferred-stack-boundary=3
endif

KOBJ := $(KERNEL_C:%.c=$(B)/kernel/%.o) $(KERNEL_S:%.S=$(B)/kernel/%.S.o)
SETUP := tools/setup

.PHONY: all help run test soak check size unit fuzz-replay fuzz model system clean guests layers headers \
	commands docs style cppcheck syntax clang analyze tools tool-tests bench bench-check boot-ratio idle vmcs-builds \
	FORCE
.DELETE_ON_ERROR:
.SECONDARY:

all: $(B)/plinth.elf guests tools ## build the hypervisor, the bundled guests and the host tools

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  V=1 shows commands; CC=clang builds with clang."

# --- packages: installed, or named; never skipped -------------------------------------------
$(B)/.setup-%: $(SETUP)
	@mkdir -p $(B)
	@sh $(SETUP) $*
	@touch $@

# --- the hypervisor -------------------------------------------------------------------------
$(B)/include/asm_offsets.h: arch/x86/asm_offsets.c $(B)/.setup-build | $(B)/include
	$(call say,GEN,$@)$(CC) $(CFLAGS_KERNEL) -MMD -MT $@ -MF $(B)/asm_offsets.d -S -o $(B)/asm_offsets.s $<
	$(Q)sed -n 's/^.*->\([A-Z0-9_]*\) \([0-9]*\).*/#define \1 \2/p' $(B)/asm_offsets.s > $@
-include $(B)/asm_offsets.d

# The guests' DSDT, as an array.
$(B)/dsdt.aml: core/acpi/dsdt.asl $(B)/.setup-build
	$(call say,IASL,$<)iasl -vs -vi -we -p $(B)/dsdt $< > $(B)/iasl.log 2>&1 || { cat $(B)/iasl.log; exit 1; }

$(B)/include/dsdt_aml.h: $(B)/dsdt.aml | $(B)/include
	$(Q)$(PYTHON) -c "import sys; print('static const unsigned char dsdt_aml[] = {'); \
	  [print(b, end=',') for b in open('$<', 'rb').read()]; print('};')" > $@
$(B)/kernel/core/loader.o: $(B)/include/dsdt_aml.h

$(B)/include:
	@mkdir -p $@

# What most exits run is made fast, the rest small; tests/bench tells which files those are. Guests
# have the FPU: without SSE the stack needs no more than 8-byte alignment.
FAST  := -falign-functions=1 -falign-jumps=1 -falign-loops=1
SMALL := -Oz
HOT := arch/x86/fpu arch/x86/host arch/x86/vmx/apicv arch/x86/vmx/event arch/x86/vmx/exit \
	arch/x86/vmx/run core/apic_route core/bus core/cap core/event core/exit core/guest_cpu \
	core/guest_time core/hypercall core/interrupt core/io_exit core/lib/lock core/lib/string \
	core/linear core/lines core/machine_console core/machine_io core/mmio core/mmio_move core/msr \
	core/msr_exit core/runqueue core/sched core/sched_boot core/sched_control core/sched_halt \
	core/sched_turn core/sched_wake core/timerq core/vcpu \
	drivers/emu/vlapic drivers/emu/vlapic_regs drivers/emu/vlapic_timer drivers/emu/vpic \
	drivers/emu/vpit drivers/emu/vuart mm/guest_mem
# Changes when the flags do: then all is compiled again.
$(B)/.flags: FORCE
	@mkdir -p $(B)
	@echo '$(CC) $(CFLAGS_KERNEL) $(SMALL) $(FAST) $(HOT)' | cmp -s - $@ || \
	  echo '$(CC) $(CFLAGS_KERNEL) $(SMALL) $(FAST) $(HOT)' > $@
FORCE:

$(B)/kernel/%.o: %.c $(B)/.flags $(B)/.setup-build | $(B)/include/asm_offsets.h
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(CFLAGS_KERNEL) $(if $(filter $*,$(HOT)),$(FAST),$(SMALL)) $(CFLAGS_$(subst /,_,$*)) -MMD -MP -c -o $@ $<

$(B)/kernel/%.S.o: %.S $(B)/.flags $(B)/include/asm_offsets.h
	@mkdir -p $(@D)
	$(call say,AS,$<)$(CC) $(CFLAGS_KERNEL) -D__ASSEMBLY__ -MMD -MP -c -o $@ $<

CFLAGS_core_lib_string := -fno-builtin \
	$(if $(findstring clang,$(CC)),,-fno-tree-loop-distribute-patterns)

# Linked twice: the symbol table for backtraces is made from the first link and sits behind
# everything else, so that adding it moves no symbol.
LDFLAGS_KERNEL := -nostdlib -static -T linker.ld -z max-page-size=4096 -z noexecstack \
	--gc-sections --build-id=none --no-warn-rwx-segments
$(B)/plinth.pass1.elf: $(KOBJ) linker.ld
	$(call say,LD,$@)ld $(LDFLAGS_KERNEL) -o $@ $(KOBJ)

$(B)/symbols.S: $(B)/plinth.pass1.elf tools/symbols
	$(call say,GEN,$@)nm -n $< | $(PYTHON) tools/symbols > $@

$(B)/symbols.o: $(B)/symbols.S
	$(Q)$(CC) $(CFLAGS_KERNEL) -c -o $@ $<

$(B)/plinth.elf: $(B)/plinth.pass1.elf $(B)/symbols.o
	$(call say,LD,$@)ld $(LDFLAGS_KERNEL) -Map=$(B)/plinth.map -o $@ $(KOBJ) $(B)/symbols.o
	@size $@ | awk 'NR==2{printf "  text %d KB, data %d KB, bss %d KB\n",$$1/1024,$$2/1024,$$3/1024}'

-include $(KOBJ:.o=.d)

# --- bundled guests -------------------------------------------------------------------------
include guests/guests.mk

# --- host tools -----------------------------------------------------------------------------
HOST_PURE := $(PURE:%.c=$(B)/host/%.o)
$(B)/host/%.o: %.c $(B)/.setup-check
	@mkdir -p $(@D)
	$(call say,HOSTCC,$<)$(HOSTCC) $(CFLAGS_HOST) $(SAN) -MMD -MP -c -o $@ $<
-include $(HOST_PURE:.o=.d)

$(B)/host/libplinth.a: $(HOST_PURE)
	@rm -f $@
	$(Q)ar rcs $@ $^

TOOL_SRC := tools/config_check.c $(filter core/config%.c core/pin.c core/password.c core/image%.c core/lib/fmt.c,$(PURE))
tools: $(B)/config-check
$(B)/config-check: $(TOOL_SRC) $(HEADERS) $(B)/.setup-build
	@mkdir -p $(@D)
	$(call say,HOSTCC,$@)$(HOSTCC) $(CFLAGS_HOST) -o $@ $(TOOL_SRC)

# For machines of more than 2 GiB under Bochs.
tools: $(B)/bochs_memory.so
$(B)/bochs_memory.so: tools/bochs_memory.c $(B)/.setup-build
	$(call say,HOSTCC,$@)$(HOSTCC) -std=gnu11 $(WARN) -O2 -fPIC -shared -o $@ $<

# What `make bench PEERS=1` runs the bench guest under KVM with; static, for it is alone in an initrd.
tools: $(B)/bench-vmm
$(B)/bench-vmm: tests/bench/kvm/vmm.c $(B)/.setup-build
	$(call say,HOSTCC,$@)$(HOSTCC) -std=gnu11 $(WARN) -O2 -I. -static -pthread -MMD -MP -MF $@.d -o $@ $<
-include $(B)/bench-vmm.d

# --- checks: no emulator, seconds -----------------------------------------------------------
UNIT  := $(patsubst tests/unit/%.c,$(B)/unit/%,$(sort $(wildcard tests/unit/test_*.c)))
FUZZ  := $(patsubst tests/fuzz/%.c,%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))

$(B)/unit/%: tests/unit/%.c $(B)/host/libplinth.a
	@mkdir -p $(@D)
	$(call say,UNIT,$@)$(HOSTCC) $(CFLAGS_HOST) $(SAN) -MMD -MP -MT $@ -o $@ $< $(B)/host/libplinth.a -lcmocka
-include $(UNIT:=.d)

# Tests in which threads play CPUs; they take nothing from the library.
$(B)/unit/test_lock $(B)/unit/test_call $(B)/unit/test_tsc_sync: private SAN := -fsanitize=thread -pthread

$(B)/unit/test_sched: private SAN += -pthread

unit: $(UNIT) ## unit tests under ASan and UBSan
	@sh tests/run-unit $(UNIT)

# A fuzz target is replayed with the sanitizers of the unit tests and the corpus in the tree.
$(B)/replay/%: tests/fuzz/%.c tests/fuzz/replay.c $(B)/host/libplinth.a
	@mkdir -p $(@D)
	$(call say,FUZZ,$@)$(HOSTCC) $(CFLAGS_HOST) $(SAN) -MMD -MP -MT $@ -o $@ $< tests/fuzz/replay.c $(B)/host/libplinth.a
-include $(FUZZ:%=$(B)/replay/%.d)

fuzz-replay: $(FUZZ:%=$(B)/replay/%) ## replay every fuzz corpus
	@sh tests/run-replay $(FUZZ)

# make fuzz TARGET=fuzz_config SECONDS=60
$(B)/fuzz/%: tests/fuzz/%.c $(PURE) $(HEADERS) $(B)/.setup-check
	@mkdir -p $(@D)
	$(call say,FUZZ,$@)$(FUZZCC) $(CFLAGS_HOST) -fsanitize=fuzzer,address,undefined -o $@ $< $(PURE)

TARGET  ?= $(FUZZ)
SECONDS ?= 30
fuzz: $(FUZZ:%=$(B)/fuzz/%) ## run libFuzzer on each target (TARGET=, SECONDS=)
	@for t in $(TARGET); do mkdir -p $(B)/fuzz-new/$$t tests/fuzz/corpus/$$t; \
	  echo "== $$t"; $(B)/fuzz/$$t -max_total_time=$(SECONDS) -max_len=8192 -print_final_stats=0 \
	  -verbosity=0 $(B)/fuzz-new/$$t tests/fuzz/corpus/$$t || exit 1; done

size: $(B)/plinth.elf ## code, constants and data by part
	@$(PYTHON) tools/size

layers: ## who may include whom
	@$(PYTHON) tools/layers

headers: $(B)/include/asm_offsets.h $(B)/include/dsdt_aml.h ## every header compiles alone
	@for h in $(HEADERS); do printf '#include "%s"\n' $$h | $(CC) $(CFLAGS_KERNEL) -fsyntax-only -x c - \
	  || { echo "header $$h does not compile alone"; exit 1; }; done; \
	  echo "headers: $(words $(HEADERS)) compile alone"

tool-tests: ## tests of tools/plinthlib
	@for t in tests/tools/test_*.py; do $(PYTHON) $$t 2>&1 || exit 1; done

docs: ## links, names and tables of the documentation
	@$(PYTHON) tools/docs

style: ## white space, line length, SPDX lines
	@$(PYTHON) tools/style

CPPCHECK := cppcheck --std=c11 --language=c --enable=warning,performance,portability --inline-suppr \
	--suppressions-list=tools/cppcheck.suppress --error-exitcode=1 --quiet -I. -I$(B)/include \
	-D__GNUC__ --platform=unix64 -j2
cppcheck: $(B)/include/asm_offsets.h $(B)/include/dsdt_aml.h $(B)/.setup-check ## static analysis
	@$(CPPCHECK) $(KERNEL_C) && echo "cppcheck: clean"

commands: ## each command of the console is used in a scenario
	@$(PYTHON) tests/system/command_steps.py

# No warnings of the other compiler either: it has others.
syntax:
	@$(CC) $(CFLAGS_KERNEL) -fsyntax-only $(KERNEL_C) && echo "$(CC): clean"
clang: $(B)/include/asm_offsets.h $(B)/include/dsdt_aml.h $(B)/.setup-check ## the hypervisor's C through clang, for its warnings
	@$(MAKE) -s --no-print-directory CC=clang syntax

analyze: $(B)/include/asm_offsets.h $(B)/include/dsdt_aml.h ## gcc -fanalyzer over the hypervisor (slow)
	@for f in $(KERNEL_C); do gcc $(CFLAGS_KERNEL) -fanalyzer -c -o /dev/null $$f || exit 1; done; \
	  echo "analyzer: clean"

check: $(B)/.setup-check all ## everything that needs no emulator
	@sh tests/run-check

model: ## the wake-up protocol, all interleavings (needs spin; half a minute)
	@sh tests/model/run

system: all $(B)/.setup-emulate ## the system tests in the emulators
	@$(PYTHON) tests/system/run $(ONLY)

soak: all $(B)/.setup-emulate ## the system tests that take too long for every day; build/soak.txt
	@$(PYTHON) tests/system/run --soak $(ONLY)

test: all $(B)/.setup-check $(B)/.setup-emulate ## check and system: ends with N passed, N failed
	@sh tests/run-all

bench: all $(B)/.setup-emulate $(if $(VMCS),vmcs-builds) ## what exits cost, beside other hypervisors (CPU=, CORES=, VMCS=1, BARE=1, PEERS=1)
	@$(PYTHON) tests/bench/run $(if $(CPU),--cpu $(CPU)) $(if $(CORES),--cores $(CORES)) $(if $(VMCS),--vmcs) $(if $(BARE),--bare) $(if $(PEERS),--peers $(filter-out 1,$(PEERS)))

# VMREAD, or VMWRITE, dearer by VMX_NOPS instructions: tests/bench/run tells from that how many there are.
VMX_NOPS := 256
nops = $(MAKE) --no-print-directory B=$(B)/$(1) $(B)/$(1)/plinth.elf \
	DEFINES='-DVMX_READ_NOPS=\"$(2)\" -DVMX_WRITE_NOPS=\"$(3)\"'
vmcs-builds:
	$(Q)$(call nops,vmcs-reads,$(VMX_NOPS),0)
	$(Q)$(call nops,vmcs-writes,0,$(VMX_NOPS))

bench-check: all $(B)/.setup-emulate ## fails when something became more than 3 % dearer
	@$(PYTHON) tests/bench/run --check $(if $(CPU),--cpu $(CPU))

boot-ratio: all $(B)/.setup-emulate ## Debian's start under Plinth over bare, in instructions
	@$(PYTHON) tests/bench/boot-ratio

idle: all $(B)/.setup-emulate ## how often an idle Debian exits
	@$(PYTHON) tests/bench/idle $(if $(CPU),--cpu $(CPU))

run: all $(B)/.setup-emulate ## boot Debian beside the bundled guests; your terminal is the serial console
	@$(PYTHON) tools/plinth run $(or $(CONFIG),guests/run.cfg)

clean: ## remove build/
	rm -rf $(B)
