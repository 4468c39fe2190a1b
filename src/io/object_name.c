/*
 * object_name.c - is it a name that an object could have, and are two of them the same?
 *
 * Locks       none.
 * Fidelity    no object directories and no security: which directories exist is a choice. Names are folded as ASCII. Each kind of object has
 *             names of its own, so that a section can be called as an event is.
 */
#include "io/object_name.h"

#include <string.h>

#include "host/host.h"

static unsigned folded(unsigned c) { return c - 'a' < 26 ? c - ('a' - 'A') : c; }

bool io_name_begins_with(PCUNICODE_STRING name, const char *text)
{
    size_t length = strlen(text);
    if (name->Length / sizeof(WCHAR) < length)
        return false;
    for (size_t i = 0; i < length; i++)
        if (folded(name->Buffer[i]) != folded((unsigned char)text[i]))
            return false;
    return true;
}

bool io_name_is(PCUNICODE_STRING name, const WCHAR *other, USHORT bytes)
{
    if (bytes != name->Length)
        return false;
    for (size_t i = 0; i < name->Length / sizeof(WCHAR); i++)
        if (folded(other[i]) != folded(name->Buffer[i]))
            return false;
    return true;
}

/* Where the last part of the name begins: 0, no backslash. */
static size_t leaf_of(PCUNICODE_STRING name)
{
    size_t leaf = 0;
    for (size_t i = 0; i < name->Length / sizeof(WCHAR); i++)
        if (((const volatile WCHAR *)name->Buffer)[i] == '\\')
            leaf = i + 1;
    return leaf;
}

NTSTATUS io_name_status(PCUNICODE_STRING name)
{
    static const char *const DIRECTORIES[] = { IO_KERNEL_OBJECTS, "\\BaseNamedObjects\\", "\\Device\\", "\\" };
    size_t                   leaf = leaf_of(name);
    if (name->Length % sizeof(WCHAR) != 0)
        return STATUS_OBJECT_NAME_INVALID;
    if (leaf == 0 || name->Buffer[0] != '\\')
        return STATUS_OBJECT_PATH_SYNTAX_BAD;
    if (leaf == name->Length / sizeof(WCHAR))
        return STATUS_OBJECT_NAME_INVALID;
    for (size_t i = 0; i < NTMM_ARRAY_COUNT(DIRECTORIES); i++)
        if (strlen(DIRECTORIES[i]) == leaf && io_name_begins_with(name, DIRECTORIES[i]))
            return STATUS_SUCCESS;
    return STATUS_OBJECT_PATH_NOT_FOUND;
}

bool io_name_is_possible(PCUNICODE_STRING name) { return NT_SUCCESS(io_name_status(name)); }
