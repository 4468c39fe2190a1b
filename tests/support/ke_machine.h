/*
 * ke_machine.h - for tests of src/ke: a machine that consists of processors and nothing else, and what stops it.
 * No RAM and no pools are booted, so these tests say what ke does alone.
 */
#ifndef NTMM_TESTS_KE_MACHINE_H
#define NTMM_TESTS_KE_MACHINE_H

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <ntmm/ntmm.h>

#include "ke/bugcheck.h"
#include "ke/report.h"

static inline int ke_machine_boot(uint32_t processors)
{
    int result;

    host_fences_start();
    ke_report_configure(true);
    result = ke_processors_boot(processors, 1);
    if (result != 0)
        return result;
    ke_machine_generation++;
    atomic_store(&ke_machine_state, KE_MACHINE_UP);
    return 0;
}

/* true: every other thread was outside. */
static inline bool ke_machine_shutdown(void)
{
    bool outside = ke_threads_are_outside();

    ke_processors_shutdown();
    atomic_store(&ke_machine_state, KE_MACHINE_OFF);
    return outside;
}

static inline int boot_one(void **state)
{
    (void)state;
    return ke_machine_boot(1);
}
static inline int boot_two(void **state)
{
    (void)state;
    return ke_machine_boot(2);
}
static inline int boot_four(void **state)
{
    (void)state;
    return ke_machine_boot(4);
}
static inline int shut_down(void **state)
{
    (void)state;
    return ke_machine_shutdown() ? 0 : -1;
}

/* Run `expression`; it must stop the machine with that code and first parameter. The whole stop is left in `last_stop`. */
static ntmm_bugcheck last_stop __attribute__((unused));
#define assert_stop(expected_code, expected_p1, expression) \
    do { \
        ntmm_catch_frame frame_; \
        if (sigsetjmp(*ntmm_catch_push(&frame_), 0) == 0) { \
            expression; \
            ntmm_catch_pop(&frame_); \
            fail_msg("%s did not stop the machine", #expression); \
        } \
        last_stop = frame_.stop; \
        assert_int_equal(last_stop.code, (expected_code)); \
        assert_int_equal(last_stop.parameter[0], (uintptr_t)(expected_p1)); \
    } while (0)

static inline pthread_t thread_run(void *(*body)(void *), void *argument)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, body, argument), 0);
    return thread;
}

/* true within five seconds of `condition` */
#define eventually(condition) \
    ({ \
        uint64_t end_ = host_clock_ns() + UINT64_C(5000000000); \
        bool     met_; \
        while (!(met_ = (condition)) && host_clock_ns() < end_) \
            host_sleep_ns(100000); \
        met_; \
    })

#endif
