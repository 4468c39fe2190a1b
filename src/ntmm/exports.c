/*
 * exports.c - MmGetSystemRoutineAddress: the name of a kernel routine becomes its address.
 * The table is written by the build from the declarations in include/ntmm/ddk (cmake/exports.cmake), sorted, so that a routine that a
 * driver can link against is also one that it can look up.
 *
 * Source  WDK reference: MmGetSystemRoutineAddress.
 */
#include <string.h>

#include <ntddk.h>

#include "ke/bugcheck.h"

typedef struct export_entry {
    const char *name;
    PVOID       address;
} export_entry_t;

#define NTMM_EXPORT(name) { #name, (PVOID)(uintptr_t)&name },
static const export_entry_t EXPORTS[] = {
#include "exports.inc"
};
#undef NTMM_EXPORT

/* Compares a counted 16-bit string with a plain one, as strcmp does. */
static int compare_name(PCUNICODE_STRING wanted, const char *name)
{
    size_t length = wanted->Length / sizeof(WCHAR);
    for (size_t i = 0; i < length; i++) {
        int difference = (int)wanted->Buffer[i] - (int)(unsigned char)name[i];
        if (difference != 0)
            return difference;
    }
    return name[length] == '\0' ? 0 : -1;
}

PVOID MmGetSystemRoutineAddress(PUNICODE_STRING SystemRoutineName)
{
    size_t low = 0, high = NTMM_ARRAY_COUNT(EXPORTS);

    KE_REQUIRE_IRQL(PASSIVE_LEVEL);
    if (ke_thread_ready(__func__) == NULL)
        return NULL;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int    order = compare_name(SystemRoutineName, EXPORTS[middle].name);
        if (order == 0)
            return EXPORTS[middle].address;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}
