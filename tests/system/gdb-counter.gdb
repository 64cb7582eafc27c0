# What gdb is asked to do with the guest `counter` (tests/system/gdb.toml).
set remotetimeout 30
set pagination off
define plinth-test
echo === attached\n
info registers
info threads
set $before = $pc
stepi
printf "=== stepped %d\n", $pc != $before
break guest_print
continue
bt 2
# Our own INT3 must not show in memory.
printf "=== masked %d\n", *(unsigned char *)guest_print != 0xcc
delete
hbreak guest_ticks_to_ns
continue
delete
stepi 30
watch *(long *)($rsp - 8)
continue
delete
stepi 10
# TF is how steps are made where the CPU has no trap flag of its own: nobody may see it.
printf "=== flags %d\n", ($eflags & 0x100) != 0
set $saved = $r11
set $r11 = 0x1234567890
p/x $r11
set $r11 = $saved
monitor version
# More than its line holds.
monitor help
detach
end
