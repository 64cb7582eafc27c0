# SPDX-License-Identifier: BSD-2-Clause
# The bundled guests: every guests/NAME/ with a main.c becomes build/guests/NAME.elf (PVH ELF),
# every guests/NAME/ with a boot.S becomes build/guests/NAME.bin (flat, real mode). A folder's other
# .c files are linked in, and guests/lib into every PVH guest. Included by the Makefile.

GUEST_ELF := $(patsubst guests/%/main.c,$(B)/guests/%.elf,$(sort $(wildcard guests/*/main.c)))
GUEST_BIN := $(patsubst guests/%/boot.S,$(B)/guests/%.bin,$(sort $(wildcard guests/*/boot.S)))

# What is of use to a guest in the hypervisor's own PURE library is compiled once more for guests.
GUEST_LIB_SRC := $(sort $(wildcard guests/lib/*.c)) core/lib/fmt.c core/lib/string.c
GUEST_LIB := $(GUEST_LIB_SRC:%.c=$(B)/guests/obj/%.o) $(B)/guests/obj/guests/lib/start.S.o \
	$(B)/guests/obj/guests/lib/smp.S.o
guest_src = $(sort $(wildcard guests/$(1)/*.c))
guest_obj = $(patsubst %.c,$(B)/guests/obj/%.o,$(call guest_src,$(1)))

# A folder with a head.S is a kernel of 32 bits of its own, without guests/lib: NAME.elf, and NAME64.elf, the
# same code in an ELF64 file.
GUEST_OWN := $(patsubst guests/%/head.S,$(B)/guests/%.elf,$(sort $(wildcard guests/*/head.S)))

guests: $(GUEST_ELF) $(GUEST_BIN) $(GUEST_OWN) $(GUEST_OWN:.elf=64.elf) ## build the bundled guests

$(B)/guests/obj/%.o: %.c | $(B)/.setup-build
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(CFLAGS_GUEST) -Iguests $(CFLAGS_$(subst /,_,$*)) -MMD -MP -c -o $@ $<

$(B)/guests/obj/%.S.o: %.S | $(B)/.setup-build
	@mkdir -p $(@D)
	$(call say,AS,$<)$(CC) $(CFLAGS_GUEST) -Iguests -D__ASSEMBLY__ -MMD -MP -c -o $@ $<

LDFLAGS_GUEST := -nostdlib -static -z max-page-size=4096 -z noexecstack --gc-sections \
	--build-id=none --no-warn-rwx-segments

define GUEST_ELF_RULE
$(B)/guests/$(1).elf: $(call guest_obj,$(1)) $(GUEST_LIB) guests/lib/guest.ld
	$$(call say,LD,$$@)ld $(LDFLAGS_GUEST) -T guests/lib/guest.ld -o $$@ $(call guest_obj,$(1)) $(GUEST_LIB)
-include $(patsubst %.o,%.d,$(call guest_obj,$(1)))
endef
$(foreach g,$(GUEST_ELF:$(B)/guests/%.elf=%),$(eval $(call GUEST_ELF_RULE,$(g))))

$(B)/guests/%.bin: $(B)/guests/obj/guests/%/boot.S.o guests/lib/flat.ld
	$(call say,LD,$@)ld -m elf_i386 -nostdlib -static -z noexecstack --build-id=none -T guests/lib/flat.ld \
	  -o $(@:.bin=.flat.elf) $<
	$(Q)objcopy -O binary $(@:.bin=.flat.elf) $@

$(B)/guests/obj/guests/%/boot.S.o: guests/%/boot.S | $(B)/.setup-build
	@mkdir -p $(@D)
	$(call say,AS,$<)$(CC) -m32 -ffreestanding -I. -D__ASSEMBLY__ -MMD -MP -c -o $@ $<

# -mcmodel and red zones are words of 64-bit code; all else is as for other guests.
CFLAGS_GUEST32 = $(filter-out -mno-red-zone,$(CFLAGS_GUEST)) -m32 -march=i686
$(B)/guests/obj32/%.o: %.c | $(B)/.setup-build
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(CFLAGS_GUEST32) $(CFLAGS_$(subst /,_,$*)) -MMD -MP -c -o $@ $<

$(B)/guests/obj32/%.S.o: %.S | $(B)/.setup-build
	@mkdir -p $(@D)
	$(call say,AS,$<)$(CC) $(CFLAGS_GUEST32) -D__ASSEMBLY__ -MMD -MP -c -o $@ $<

guest_own_obj = $(patsubst %,$(B)/guests/obj32/%.o,$(basename $(call guest_src,$(1))) guests/$(1)/head.S \
	core/lib/fmt core/lib/string)
define GUEST_OWN_RULE
$(B)/guests/$(1).elf: $(call guest_own_obj,$(1)) guests/$(1)/kernel.ld
	$$(call say,LD,$$@)ld -m elf_i386 $(LDFLAGS_GUEST) -T guests/$(1)/kernel.ld -o $$@ $(call guest_own_obj,$(1))
-include $(patsubst %.o,%.d,$(call guest_own_obj,$(1)))
endef
$(foreach g,$(GUEST_OWN:$(B)/guests/%.elf=%),$(eval $(call GUEST_OWN_RULE,$(g))))

$(GUEST_OWN:.elf=64.elf): %64.elf: %.elf
	$(call say,GEN,$@)objcopy -O elf64-x86-64 $< $@

-include $(GUEST_LIB:.o=.d) $(GUEST_BIN:$(B)/guests/%.bin=$(B)/guests/obj/guests/%/boot.S.d)
