/*
 * levels.h - a table of routines with the highest IRQL of each. One above it each stops the machine: 0xA, with that IRQL.
 *
 *     LEVEL(MmUnlockPages, DISPATCH_LEVEL, MmUnlockPages(mdl))      the routine, its highest IRQL, a call of it
 *     static const struct level_case CASES[] = { LEVEL_ROW(MmUnlockPages), ... };
 */
#ifndef NTMM_TESTS_SUPPORT_LEVELS_H
#define NTMM_TESTS_SUPPORT_LEVELS_H

#include <ntmm/cmocka.h>

struct level_case {
    const char *name;
    KIRQL       highest;
    void (*call)(void);
};

#define LEVEL(name, highest, ...) \
    enum { level_of_##name = (highest) }; \
    static void call_##name(void) { (void)(__VA_ARGS__); }
#define LEVEL_ROW(name) \
    { \
#name, level_of_##name, call_##name \
    }

static inline void level_call_(void *context) { ((const struct level_case *)context)->call(); }

/* `before` makes what the calls need, NULL: nothing. */
static inline void assert_levels(const struct level_case *cases, size_t count, void (*before)(void))
{
    for (volatile size_t i = 0; i < count; i++) {
        KIRQL         old;
        ntmm_bugcheck stop = { .code = 0 };
        if (before != NULL)
            before();
        KeRaiseIrql((KIRQL)(cases[i].highest + 1), &old);
        if (!ntmm_catch_bugcheck(level_call_, (void *)(uintptr_t)&cases[i], &stop))
            fail_msg("%s goes on at IRQL %u", cases[i].name, cases[i].highest + 1u);
        if (stop.code != IRQL_NOT_LESS_OR_EQUAL || stop.parameter[1] != cases[i].highest + 1u || stop.parameter[2] != 8)
            fail_msg("%s at IRQL %u: stop 0x%X", cases[i].name, cases[i].highest + 1u, stop.code);
        ntmm_cmocka_reboot();
    }
}

#endif
