/*
 * strsafe_unicode.c - the RtlUnicodeString routines of ntstrsafe.h: copying, appending and printing into a counted string, without a null.
 * Units       Length and MaximumLength are bytes, the rest is characters.
 * Source      WDK reference: ntstrsafe.h, the page of each routine.
 * Fidelity    choice: STRSAFE_FILL_ON_FAILURE leaves the Length that the operation had come to. RemainingString is written after a success
 *             and after STATUS_BUFFER_OVERFLOW.
 */
#include <string.h>

#include <ntstrsafe.h>

#include "rtl/strsafe.h"

NTSTATUS ntmm_unicode_validate(PCUNICODE_STRING string, ULONG flags)
{
    if ((flags & ~(ULONG)STRSAFE_IGNORE_NULLS) != 0)
        return STATUS_INVALID_PARAMETER;
    if (string == NULL)
        return flags & STRSAFE_IGNORE_NULLS ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
    if (string->Length % sizeof(WCHAR) != 0 || string->MaximumLength % sizeof(WCHAR) != 0 || string->Length > string->MaximumLength ||
        string->MaximumLength > NTSTRSAFE_UNICODE_STRING_MAX_CCH * sizeof(WCHAR) ||
        (string->Buffer == NULL && (string->Length != 0 || string->MaximumLength != 0)))
        return STATUS_INVALID_PARAMETER;
    return STATUS_SUCCESS;
}

NTSTATUS ntmm_unicode_init(PUNICODE_STRING string, PCWSTR text, ULONG flags)
{
    size_t length = text != NULL ? rtl_strsafe_length(text, NTSTRSAFE_UNICODE_STRING_MAX_CCH, true) : 0;

    if ((flags & ~(ULONG)STRSAFE_IGNORE_NULLS) != 0 || length == NTSTRSAFE_UNICODE_STRING_MAX_CCH)
        return STATUS_INVALID_PARAMETER;
    if (string == NULL)
        return (flags & STRSAFE_IGNORE_NULLS) && text == NULL ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
    string->Length = (USHORT)(length * sizeof(WCHAR));
    string->MaximumLength = (USHORT)(text != NULL ? (length + 1) * sizeof(WCHAR) : 0);
    string->Buffer = (PWCH)(ULONG_PTR)text;
    return STATUS_SUCCESS;
}

static NTSTATUS check(PCUNICODE_STRING to, const rtl_strsafe_source_t *source, unsigned options, ULONG flags)
{
    ULONG nulls = flags & STRSAFE_IGNORE_NULLS;

    if ((flags & ~(ULONG)STRSAFE_VALID_FLAGS) != 0 || ntmm_unicode_validate(to, nulls) != STATUS_SUCCESS)
        return STATUS_INVALID_PARAMETER;
    if (source->text == NULL && !nulls)
        return STATUS_INVALID_PARAMETER;
    if ((options & NTMM_STRSAFE_N) && source->most > NTSTRSAFE_UNICODE_STRING_MAX_CCH)
        return STATUS_INVALID_PARAMETER;
    return STATUS_SUCCESS;
}

static NTSTATUS write(PUNICODE_STRING to, const rtl_strsafe_source_t *source, size_t start)
{
    size_t capacity = to != NULL ? to->MaximumLength / sizeof(WCHAR) : 0, room = capacity - start, length;

    length = rtl_strsafe_write(source, to != NULL && to->Buffer != NULL ? to->Buffer + start : NULL, room, true);
    if (capacity == 0)
        return length != 0 ? STATUS_INVALID_PARAMETER : STATUS_SUCCESS;
    to->Length = (USHORT)((start + (length < room ? length : room)) * sizeof(WCHAR));
    return length > room ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS;
}

static void clean_up(PUNICODE_STRING to, NTSTATUS status, size_t start, unsigned options, ULONG flags)
{
    if (to == NULL || to->Buffer == NULL)
        return;
    if (status == STATUS_SUCCESS) {
        if (flags & STRSAFE_FILL_BEHIND)
            memset((char *)to->Buffer + to->Length, (int)(flags & 0xFF), (size_t)(to->MaximumLength - to->Length));
        return;
    }
    if ((flags & STRSAFE_NO_TRUNCATION) && status == STATUS_BUFFER_OVERFLOW)
        to->Length = (USHORT)(options & NTMM_STRSAFE_CAT ? start * sizeof(WCHAR) : 0);
    if (ntmm_unicode_validate(to, 0) != STATUS_SUCCESS)
        return;
    if (flags & STRSAFE_FILL_ON_FAILURE)
        memset(to->Buffer, (int)(flags & 0xFF), to->MaximumLength);
    if (flags & STRSAFE_ZERO_LENGTH_ON_FAILURE)
        to->Length = 0;
}

static NTSTATUS put(unsigned options, PUNICODE_STRING to, const rtl_strsafe_source_t *source, PUNICODE_STRING remaining, ULONG flags)
{
    size_t   start = 0;
    NTSTATUS status = check(to, source, options, flags);

    if (status == STATUS_SUCCESS) {
        start = (options & NTMM_STRSAFE_CAT) && to != NULL ? to->Length / sizeof(WCHAR) : 0;
        status = write(to, source, start);
    }
    clean_up(to, status, start, options, flags);
    if (remaining != NULL && status != STATUS_INVALID_PARAMETER) {
        remaining->Buffer = to != NULL && to->Buffer != NULL ? to->Buffer + to->Length / sizeof(WCHAR) : NULL;
        remaining->Length = 0;
        remaining->MaximumLength = (USHORT)(to != NULL ? to->MaximumLength - to->Length : 0);
    }
    return status;
}

NTSTATUS ntmm_unicode_text(unsigned options, PUNICODE_STRING dest, PCWSTR text, size_t most, PUNICODE_STRING remaining, ULONG flags)
{
    rtl_strsafe_source_t from = { .text = text, .most = most };

    if ((options & NTMM_STRSAFE_BYTES) && most != SIZE_MAX)
        from.most = most / sizeof(WCHAR);
    return put(options, dest, &from, remaining, flags);
}

/* A counted source: its characters end where its length does, and nulls among them are characters. */
NTSTATUS ntmm_unicode_string(unsigned options, PUNICODE_STRING dest, PCUNICODE_STRING source, size_t most, PUNICODE_STRING remaining,
                             ULONG flags)
{
    rtl_strsafe_source_t from = { .text = u"", .counted = true };

    if ((options & NTMM_STRSAFE_BYTES) && most != SIZE_MAX)
        most /= sizeof(WCHAR);
    if (ntmm_unicode_validate(source, flags & STRSAFE_IGNORE_NULLS) != STATUS_SUCCESS) {
        from.text = NULL;
        flags &= ~(ULONG)STRSAFE_IGNORE_NULLS; /* so that it is refused */
    } else if ((options & NTMM_STRSAFE_N) && most > NTSTRSAFE_UNICODE_STRING_MAX_CCH) {
        from.most = most;
    } else if (source != NULL && source->Buffer != NULL) {
        from.text = source->Buffer;
        from.most = most < source->Length / sizeof(WCHAR) ? most : source->Length / sizeof(WCHAR);
    }
    return put(options, dest, &from, remaining, flags);
}

NTSTATUS ntmm_unicode_print(unsigned options, PUNICODE_STRING dest, PUNICODE_STRING remaining, ULONG flags, PCWSTR format,
                            va_list arguments)
{
    va_list              copy;
    rtl_strsafe_source_t from = { .text = format, .arguments = &copy };
    NTSTATUS             status;

    va_copy(copy, arguments);
    status = put(options, dest, &from, remaining, flags);
    va_end(copy);
    return status;
}
