# running: threads, processes, processors, IRQL, spin locks, DPCs, interrupts, events and waits, housekeeping
target_sources(ntmm PRIVATE
  ${CMAKE_CURRENT_LIST_DIR}/version.c
  ${CMAKE_CURRENT_LIST_DIR}/allocation_trace.c
  ${CMAKE_CURRENT_LIST_DIR}/debug_print.c
  ${CMAKE_CURRENT_LIST_DIR}/debug_break.c
  ${CMAKE_CURRENT_LIST_DIR}/thread.c
  ${CMAKE_CURRENT_LIST_DIR}/thread_object.c
  ${CMAKE_CURRENT_LIST_DIR}/system_thread.c
  ${CMAKE_CURRENT_LIST_DIR}/stack.c
  ${CMAKE_CURRENT_LIST_DIR}/stack_expand.c
  ${CMAKE_CURRENT_LIST_DIR}/stack_query.c
  ${CMAKE_CURRENT_LIST_DIR}/process.c
  ${CMAKE_CURRENT_LIST_DIR}/process_query.c
  ${CMAKE_CURRENT_LIST_DIR}/process_attach.c
  ${CMAKE_CURRENT_LIST_DIR}/processor.c
  ${CMAKE_CURRENT_LIST_DIR}/irql.c
  ${CMAKE_CURRENT_LIST_DIR}/force_irql.c
  ${CMAKE_CURRENT_LIST_DIR}/region.c
  ${CMAKE_CURRENT_LIST_DIR}/spinlock.c
  ${CMAKE_CURRENT_LIST_DIR}/queued_spinlock.c
  ${CMAKE_CURRENT_LIST_DIR}/rwspinlock.c
  ${CMAKE_CURRENT_LIST_DIR}/dpc.c
  ${CMAKE_CURRENT_LIST_DIR}/interrupt.c
  ${CMAKE_CURRENT_LIST_DIR}/event.c
  ${CMAKE_CURRENT_LIST_DIR}/mutex.c
  ${CMAKE_CURRENT_LIST_DIR}/semaphore.c
  ${CMAKE_CURRENT_LIST_DIR}/wait.c
  ${CMAKE_CURRENT_LIST_DIR}/time.c
  ${CMAKE_CURRENT_LIST_DIR}/balance.c)
# stopping: locks, bug checks, exceptions, faults, injected failures
target_sources(ntmm PRIVATE
  ${CMAKE_CURRENT_LIST_DIR}/lock.c
  ${CMAKE_CURRENT_LIST_DIR}/error.c
  ${CMAKE_CURRENT_LIST_DIR}/inject.c
  ${CMAKE_CURRENT_LIST_DIR}/catch.c
  ${CMAKE_CURRENT_LIST_DIR}/bugcheck.c
  ${CMAKE_CURRENT_LIST_DIR}/stop_callbacks.c
  ${CMAKE_CURRENT_LIST_DIR}/stop_text.c
  ${CMAKE_CURRENT_LIST_DIR}/report.c
  ${CMAKE_CURRENT_LIST_DIR}/names.c
  ${CMAKE_CURRENT_LIST_DIR}/raise.c
  ${CMAKE_CURRENT_LIST_DIR}/fast_fail.c
  ${CMAKE_CURRENT_LIST_DIR}/try.c
  ${CMAKE_CURRENT_LIST_DIR}/try_records.c
  ${CMAKE_CURRENT_LIST_DIR}/dispatch.c
  ${CMAKE_CURRENT_LIST_DIR}/context.c
  ${CMAKE_CURRENT_LIST_DIR}/fault.c)
