/* nx_driver.h - what a test can ask of the drivers built from nx_driver.c. */
#ifndef NTMM_TESTS_NX_DRIVER_H
#define NTMM_TESTS_NX_DRIVER_H

#include <ntddk.h>

typedef void *nx_allocate_t(POOL_TYPE type, SIZE_T bytes, ULONG tag);
typedef struct nx_driver {
    NTSTATUS (*entry)(void); /* ExInitializeDriverRuntime(DrvRtPoolNxOptIn) */
    void (*initialize_for_zeros_only)(void);
    POOL_TYPE (*nonpaged)(void);
    POOL_TYPE (*nonpaged_cache_aligned)(void);
    POOL_TYPE (*of_lookaside)(ULONG flags); /* of the entries of a nonpaged list that is initialised with these flags */
    nx_allocate_t *allocate_zero, *allocate_quota_zero, *allocate_priority_zero;
} nx_driver_t;

/* No macros; POOL_NX_OPTIN; POOL_NX_OPTIN and _OPTOUT; POOL_NX_OPTIN_AUTO; the same and _OPTOUT; POOL_ZERO_DOWN_LEVEL_SUPPORT. */
extern const nx_driver_t plain_driver, optin_driver, optout_driver, auto_driver, auto_optout_driver, down_level_driver;

#endif
