/*
 * user_buffer.c - another file of the same driver: it copies what a user's pointer leads to, and does not trust the pointer.
 */
#include <ntddk.h>
#include <string.h>

NTSTATUS MailboxCopyFrom(PVOID to, const VOID *user, SIZE_T bytes, PULONG attempts)
{
    NTSTATUS status = STATUS_SUCCESS;
    ULONG    n = *attempts;

    try {
        try {
            n++;
            memcpy(to, user, bytes);
        } finally {
            *attempts = n; /* what the body has changed is seen, at whatever level the file is compiled */
        }
    }
    except(EXCEPTION_EXECUTE_HANDLER) { status = GetExceptionCode(); }
    return status;
}
