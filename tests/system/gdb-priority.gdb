# What gdb is asked to do with the guest `apic` in mode=steps (tests/system/gdb-priority.toml): steps
# over the write that lowers the task priority, while an interrupt waits for that and is held back.
set remotetimeout 30
set pagination off
define step-and-see
set $before = $pc
stepi
printf "=== step %d\n", $pc != $before
end
define priority-test
break apic_lower_priority
continue
delete
step-and-see
step-and-see
step-and-see
step-and-see
# From now on the APIC's page is nothing special to the CPU.
set var *(int *)&apic_toggle = 1
break apic_lower_priority
continue
delete
step-and-see
step-and-see
step-and-see
step-and-see
echo === done\n
detach
end
