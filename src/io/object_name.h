/*
 * object_name.h - names of objects: a directory that there is, and one name in it.
 */
#ifndef NTMM_IO_OBJECT_NAME_H
#define NTMM_IO_OBJECT_NAME_H

#include <stdbool.h>

#include <ntddk.h>

#define IO_KERNEL_OBJECTS "\\KernelObjects\\"

bool io_name_is_possible(PCUNICODE_STRING name); /* reads all of the string */
bool io_name_begins_with(PCUNICODE_STRING name, const char *text);
bool io_name_is(PCUNICODE_STRING name, const WCHAR *other, USHORT bytes);
/* STATUS_SUCCESS: it is possible; STATUS_OBJECT_PATH_SYNTAX_BAD, STATUS_OBJECT_PATH_NOT_FOUND, STATUS_OBJECT_NAME_INVALID. */
NTSTATUS io_name_status(PCUNICODE_STRING name);

#endif
