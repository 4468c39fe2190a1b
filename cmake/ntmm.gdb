# ntmm.gdb - page faults of the machine are no errors: gdb is not to stop at them.
#
#     gdb -x <prefix>/share/ntmm/ntmm.gdb --args ./test_mydriver
#
# Pageable memory that is not resident faults when it is touched, and the library's handler brings it in. With `pass` the program gets the
# signals as it does without a debugger; a fault that is not the machine's still ends the program, and a rule that the driver broke ends in a stop report.
# To stop where that happens, at the driver's line, outwards from there:
#
#     break ke_bugcheck_stop
#
# To see every fault: handle SIGSEGV SIGBUS stop print
handle SIGSEGV SIGBUS nostop noprint pass
