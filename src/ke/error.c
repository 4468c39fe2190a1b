/*
 * error.c - the sentence behind a refusal: ntmm_error().
 * Whoever refuses a call leaves one sentence for a person, and returns its result in the same line: `return ke_error(-EINVAL, "...");`.
 * The text belongs to the thread, so that two threads do not overwrite each other's reason.
 *
 * Locks   none.
 */
#include <stdarg.h>
#include <stdio.h>

#include <ntmm/ntmm.h>

#include "ke/bugcheck.h"

static _Thread_local char error_text[512];

int ke_error(int result, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error_text, sizeof error_text, format, arguments);
    va_end(arguments);
    return result;
}

const char *ntmm_error(void) { return error_text[0] != '\0' ? error_text : "no call was refused on this thread"; }
