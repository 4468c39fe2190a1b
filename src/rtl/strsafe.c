/*
 * strsafe.c - the routines behind ntstrsafe.h: copying, appending and printing into a buffer whose end is known.
 * All of ntstrsafe.h is these few routines in many spellings: the header's inline functions say which by options. The steps are the same for
 * all of them:
 *
 *     1 are the arguments possible?              no: STATUS_INVALID_PARAMETER
 *     2 where does the text begin?               at the start, or at the null of what is there
 *     3 write what fits                          more than that: STATUS_BUFFER_OVERFLOW
 *     4 flags: fill behind it, or clean up       and tell where it ends and what is left
 *
 * Units       characters inside, of 8 or 16 bits; bytes at the interface when the option says so.
 * Source      WDK reference: ntstrsafe.h, the page of each routine; "Using safe string functions".
 * Elsewhere   counted strings: strsafe_unicode.c. The formatter: format.c.
 */
#include <string.h>

#include <ntstrsafe.h>

#include "rtl/format.h"
#include "rtl/strsafe.h"

static bool is_null(const void *text, size_t at, bool wide)
{
    return wide ? ((const WCHAR *)text)[at] == 0 : ((const CHAR *)text)[at] == 0;
}

size_t rtl_strsafe_length(const void *text, size_t most, bool wide)
{
    size_t length = 0;
    while (length < most && !is_null(text, length, wide))
        length++;
    return length;
}

size_t rtl_strsafe_write(const rtl_strsafe_source_t *source, void *to, size_t room, bool wide)
{
    size_t      unit = wide ? sizeof(WCHAR) : 1, length;
    const void *text = source->text;

    if (source->arguments != NULL && source->text != NULL) {
        rtl_text_t printed = { .buffer = to, .room = room, .wide = wide };
        rtl_format(&printed, source->text, *source->arguments);
        return printed.count;
    }
    if (source->counted)
        length = source->most;
    else
        length = text != NULL ? rtl_strsafe_length(text, source->most < room + 1 ? source->most : room + 1, wide) : 0;
    if (length != 0 && room != 0)
        memmove(to, text, (length < room ? length : room) * unit);
    return length;
}

/* A buffer, and how far it is filled. */
typedef struct target {
    char  *buffer;
    size_t bytes, unit;
    size_t capacity; /* characters */
    size_t start;    /* where the new text begins */
    size_t end;      /* where the null is */
} target_t;

static void put_null(target_t *to, size_t at)
{
    to->end = at;
    memset(to->buffer + at * to->unit, 0, to->unit);
}

static bool flags_are_known(ULONG flags) { return (flags & ~(ULONG)STRSAFE_VALID_FLAGS) == 0; }

/* Step 1; also finds where the text begins. */
static NTSTATUS check(target_t *to, const rtl_strsafe_source_t *source, unsigned options, ULONG flags)
{
    bool ignore_nulls = (flags & STRSAFE_IGNORE_NULLS) != 0;

    if (!flags_are_known(flags) || to->capacity > NTSTRSAFE_MAX_CCH)
        return STATUS_INVALID_PARAMETER;
    if (options & NTMM_STRSAFE_EX) {
        if ((to->buffer == NULL || source->text == NULL) && !ignore_nulls)
            return STATUS_INVALID_PARAMETER;
        if (to->buffer == NULL && to->bytes != 0)
            return STATUS_INVALID_PARAMETER;
    } else if (to->capacity == 0) {
        return STATUS_INVALID_PARAMETER;
    }
    if ((options & NTMM_STRSAFE_N) && source->most > NTSTRSAFE_MAX_CCH)
        return STATUS_INVALID_PARAMETER;
    if ((options & NTMM_STRSAFE_CAT) && to->buffer != NULL) {
        to->start = rtl_strsafe_length(to->buffer, to->capacity, options & NTMM_STRSAFE_WIDE);
        if (to->start == to->capacity)
            return STATUS_INVALID_PARAMETER;
    }
    return STATUS_SUCCESS;
}

/* Steps 3 of those that have a buffer, and those that have none. */
static NTSTATUS write(target_t *to, const rtl_strsafe_source_t *source, bool wide)
{
    size_t room = to->capacity != 0 ? to->capacity - to->start - 1 : 0, length;

    length = rtl_strsafe_write(source, to->capacity != 0 ? to->buffer + to->start * to->unit : NULL, room, wide);
    if (to->capacity == 0)
        return length != 0 ? STATUS_INVALID_PARAMETER : STATUS_SUCCESS;
    put_null(to, to->start + (length < room ? length : room));
    return length > room ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS;
}

/* Step 4. */
static void clean_up(target_t *to, NTSTATUS status, unsigned options, ULONG flags)
{
    if (to->capacity == 0 || to->capacity > NTSTRSAFE_MAX_CCH || to->buffer == NULL)
        return;
    if (status == STATUS_SUCCESS) {
        size_t behind = (to->end + 1) * to->unit;
        if (flags & STRSAFE_FILL_BEHIND_NULL)
            memset(to->buffer + behind, (int)(flags & 0xFF), to->bytes - behind);
        return;
    }
    if ((flags & STRSAFE_NO_TRUNCATION) && status == STATUS_BUFFER_OVERFLOW)
        put_null(to, (options & NTMM_STRSAFE_CAT) ? to->start : 0);
    if (flags & STRSAFE_FILL_ON_FAILURE) {
        memset(to->buffer, (int)(flags & 0xFF), to->bytes);
        put_null(to, (flags & 0xFF) == 0 ? 0 : to->capacity - 1);
    }
    if ((flags & STRSAFE_NULL_ON_FAILURE) ||
        (status == STATUS_INVALID_PARAMETER && (options & NTMM_STRSAFE_N) && !(options & (NTMM_STRSAFE_EX | NTMM_STRSAFE_CAT))))
        put_null(to, 0);
}

static NTSTATUS put(target_t *to, const rtl_strsafe_source_t *source, unsigned options, void **end, size_t *remaining, ULONG flags)
{
    NTSTATUS status = check(to, source, options, flags);

    if (status == STATUS_SUCCESS)
        status = write(to, source, options & NTMM_STRSAFE_WIDE);
    clean_up(to, status, options, flags);
    if (status == STATUS_INVALID_PARAMETER)
        return status;
    if (end != NULL)
        *end = to->buffer != NULL ? to->buffer + to->end * to->unit : NULL;
    if (remaining != NULL)
        *remaining = (options & NTMM_STRSAFE_BYTES) ? to->bytes - to->end * to->unit : to->capacity - to->end;
    return status;
}

static target_t target_of(unsigned options, void *buffer, size_t size)
{
    size_t   unit = options & NTMM_STRSAFE_WIDE ? sizeof(WCHAR) : 1;
    target_t to = { .buffer = buffer, .unit = unit };

    to.capacity = options & NTMM_STRSAFE_BYTES ? size / unit : size;
    to.bytes = options & NTMM_STRSAFE_BYTES ? size : size * unit;
    return to;
}

NTSTATUS ntmm_strsafe_text(unsigned options, void *dest, size_t size, const void *source, size_t most, void **end, size_t *remaining,
                           ULONG flags)
{
    target_t             to = target_of(options, dest, size);
    rtl_strsafe_source_t from = { .text = source, .most = most };

    if ((options & NTMM_STRSAFE_BYTES) && most != SIZE_MAX)
        from.most = most / to.unit;
    return put(&to, &from, options, end, remaining, flags);
}

NTSTATUS ntmm_strsafe_counted(unsigned options, void *dest, size_t size, PCUNICODE_STRING source, void **end, size_t *remaining,
                              ULONG flags)
{
    target_t             to = target_of(options, dest, size);
    rtl_strsafe_source_t from = { .text = u"", .counted = true };

    if (ntmm_unicode_validate(source, flags & STRSAFE_IGNORE_NULLS) != STATUS_SUCCESS) {
        from.text = NULL;
        options |= NTMM_STRSAFE_EX;
        flags &= ~(ULONG)STRSAFE_IGNORE_NULLS; /* so that it is refused */
    } else if (source != NULL && source->Buffer != NULL) {
        from.text = source->Buffer;
        from.most = source->Length / sizeof(WCHAR);
    }
    return put(&to, &from, options, end, remaining, flags);
}

NTSTATUS ntmm_strsafe_print(unsigned options, void *dest, size_t size, void **end, size_t *remaining, ULONG flags, const void *format,
                            va_list arguments)
{
    target_t             to = target_of(options, dest, size);
    va_list              copy;
    rtl_strsafe_source_t from = { .text = format, .arguments = &copy };
    NTSTATUS             status;

    va_copy(copy, arguments);
    status = put(&to, &from, options, end, remaining, flags);
    va_end(copy);
    return status;
}

NTSTATUS ntmm_strsafe_length(unsigned options, const void *text, size_t most, size_t *length)
{
    bool   wide = options & NTMM_STRSAFE_WIDE;
    size_t unit = wide ? sizeof(WCHAR) : 1, found;

    if (options & NTMM_STRSAFE_BYTES)
        most /= unit;
    if (length != NULL)
        *length = 0;
    if (text == NULL || most > NTSTRSAFE_MAX_CCH)
        return STATUS_INVALID_PARAMETER;
    found = rtl_strsafe_length(text, most, wide);
    if (found == most)
        return STATUS_INVALID_PARAMETER;
    if (length != NULL)
        *length = options & NTMM_STRSAFE_BYTES ? found * unit : found;
    return STATUS_SUCCESS;
}
