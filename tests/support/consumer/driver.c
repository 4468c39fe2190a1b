/*
 * driver.c - somebody else's driver, as small as one can be: it includes what a driver includes, and nothing of ntmm.
 */
#include <ntddk.h>

#define MAILBOX_TAG 'xoBM'

_Static_assert(sizeof(L'x') == 2, "WCHAR literals have 16 bits");
_Static_assert((CHAR)-1 < 0, "CHAR is signed, whatever the host's plain char is");

typedef struct MAILBOX {
    KSPIN_LOCK Lock;
    ULONG      Letters;
    WCHAR      Name[16];
} MAILBOX, *PMAILBOX;

PMAILBOX MailboxCreate(void)
{
    PMAILBOX box = ExAllocatePool2(POOL_FLAG_NON_PAGED, sizeof(MAILBOX), MAILBOX_TAG);
    if (box != NULL)
        KeInitializeSpinLock(&box->Lock);
    return box;
}

ULONG MailboxPost(PMAILBOX box)
{
    KIRQL irql;
    ULONG letters;

    KeAcquireSpinLock(&box->Lock, &irql);
    letters = ++box->Letters;
    KeReleaseSpinLock(&box->Lock, irql);
    return letters;
}

/* Neither is used at DISPATCH_LEVEL, so they need not stay in memory. */
NTMM_PAGEABLE_DATA static ULONG Renamed;

NTMM_PAGEABLE_CODE ULONG MailboxRename(PMAILBOX box, PCWSTR name)
{
    PAGED_CODE();
    for (ULONG i = 0; i < 16; i++)
        box->Name[i] = name[i];
    return ++Renamed;
}

/* The bug: called once by the clean-up of a failed start and once more by unload. */
void MailboxDelete(PMAILBOX box) { ExFreePoolWithTag(box, MAILBOX_TAG); }
