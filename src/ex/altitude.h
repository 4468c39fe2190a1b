/*
 * altitude.h - the order of filters: decimal numbers as text, with a fraction perhaps, as "325000" and "325000.5".
 */
#ifndef NTMM_EX_ALTITUDE_H
#define NTMM_EX_ALTITUDE_H

#include <ntddk.h>

static inline size_t ex_altitude_whole_digits(PCUNICODE_STRING altitude)
{
    size_t count = 0;
    while (count < altitude->Length / sizeof(WCHAR) && altitude->Buffer[count] != '.')
        count++;
    return count;
}

/* Above 0: `one` is higher. */
static inline int ex_altitude_compare(PCUNICODE_STRING one, PCUNICODE_STRING other)
{
    size_t ones = ex_altitude_whole_digits(one), others = ex_altitude_whole_digits(other), i = 0;
    size_t length = one->Length / sizeof(WCHAR), other_length = other->Length / sizeof(WCHAR);
    if (ones != others)
        return ones > others ? 1 : -1;
    for (; i < length && i < other_length; i++)
        if (one->Buffer[i] != other->Buffer[i])
            return (int)one->Buffer[i] - (int)other->Buffer[i];
    return (int)length - (int)other_length;
}

#endif
