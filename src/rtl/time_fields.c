/*
 * time_fields.c - dates and system time; random numbers.
 * Days are counted in years that begin in March, so that the day which comes every four years is the last of its year:
 *
 *     days since 1 March 0000 = 365 y + y/4 - y/100 + y/400 + (153 m + 2) / 5 + d      y, m from March = 0, d from 0
 *
 * Units       100 ns since 1 January 1601.
 * Source      WDK reference: wdm.h, RtlTimeToTimeFields, RtlTimeFieldsToTime; ntifs.h, RtlTimeToSecondsSince1970, RtlRandomEx. The Gregorian
 *             calendar, which Windows has for all years.
 * Fidelity    choice: RtlRandom and RtlRandomEx are the generator of Park and Miller with the multiplier 48271.
 */
#include <stdbool.h>

#include <ntifs.h>

#define MS 10000ll
#define SECOND (1000 * MS)
#define DAY (86400 * SECOND)
#define DAYS_TO_1601 584694ll /* from 1 March 0000 */
#define DAYS_1601_TO_1970 134774ll
#define DAYS_1601_TO_1980 138426ll

static LONGLONG days_from(LONGLONG year, LONGLONG month, LONGLONG day) /* month and day from 1 */
{
    LONGLONG m = (month + 9) % 12, y = year - (month < 3);
    return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - DAYS_TO_1601;
}

VOID RtlTimeToTimeFields(PLARGE_INTEGER Time, PTIME_FIELDS TimeFields)
{
    LONGLONG days = Time->QuadPart / DAY, rest = Time->QuadPart % DAY, year, month;

    year = 1601 + days * 400 / 146097; /* right, or one too far */
    if (days_from(year, 1, 1) > days)
        year--;
    else if (days_from(year + 1, 1, 1) <= days)
        year++;
    for (month = 12; days_from(year, month, 1) > days; month--)
        ;
    TimeFields->Year = (CSHORT)year;
    TimeFields->Month = (CSHORT)month;
    TimeFields->Day = (CSHORT)(days - days_from(year, month, 1) + 1);
    TimeFields->Hour = (CSHORT)(rest / (3600 * SECOND));
    TimeFields->Minute = (CSHORT)(rest / (60 * SECOND) % 60);
    TimeFields->Second = (CSHORT)(rest / SECOND % 60);
    TimeFields->Milliseconds = (CSHORT)(rest / MS % 1000);
    TimeFields->Weekday = (CSHORT)((days + 1) % 7); /* 1 January 1601 was a Monday */
}

static bool is_leap(LONGLONG year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

static CSHORT days_in(CSHORT year, CSHORT month)
{
    static const UCHAR DAYS[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    return (CSHORT)(DAYS[month - 1] + (month == 2 && is_leap(year)));
}

BOOLEAN RtlTimeFieldsToTime(PTIME_FIELDS TimeFields, PLARGE_INTEGER Time)
{
    const TIME_FIELDS *f = TimeFields;

    if (f->Year < 1601 || f->Year > 30827 || f->Month < 1 || f->Month > 12 || f->Day < 1 || f->Day > days_in(f->Year, f->Month) ||
        f->Hour < 0 || f->Hour > 23 || f->Minute < 0 || f->Minute > 59 || f->Second < 0 || f->Second > 59 || f->Milliseconds < 0 ||
        f->Milliseconds > 999)
        return FALSE;
    Time->QuadPart =
        days_from(f->Year, f->Month, f->Day) * DAY + (f->Hour * 3600 + f->Minute * 60 + f->Second) * SECOND + f->Milliseconds * MS;
    return TRUE;
}

/* ---- seconds ---- */

static BOOLEAN seconds_since(LONGLONG days, const LARGE_INTEGER *time, PULONG seconds)
{
    LONGLONG elapsed = (time->QuadPart - days * DAY) / SECOND;

    if (time->QuadPart < days * DAY || elapsed > MAXULONG)
        return FALSE;
    *seconds = (ULONG)elapsed;
    return TRUE;
}

BOOLEAN RtlTimeToSecondsSince1970(PLARGE_INTEGER Time, PULONG ElapsedSeconds)
{
    return seconds_since(DAYS_1601_TO_1970, Time, ElapsedSeconds);
}

BOOLEAN RtlTimeToSecondsSince1980(PLARGE_INTEGER Time, PULONG ElapsedSeconds)
{
    return seconds_since(DAYS_1601_TO_1980, Time, ElapsedSeconds);
}

VOID RtlSecondsSince1970ToTime(ULONG ElapsedSeconds, PLARGE_INTEGER Time)
{
    Time->QuadPart = DAYS_1601_TO_1970 * DAY + ElapsedSeconds * SECOND;
}

VOID RtlSecondsSince1980ToTime(ULONG ElapsedSeconds, PLARGE_INTEGER Time)
{
    Time->QuadPart = DAYS_1601_TO_1980 * DAY + ElapsedSeconds * SECOND;
}

/* ---- numbers that look random ---- */

#define MODULUS 2147483647ull /* a prime */

ULONG RtlRandomEx(PULONG Seed)
{
    ULONGLONG from = *Seed % MODULUS; /* 1 to MODULUS - 1 is one long row; 0 would stay where it is */
    *Seed = (ULONG)((from != 0 ? from : 1) * 48271 % MODULUS);
    return *Seed - 1;
}

ULONG RtlRandom(PULONG Seed) { return RtlRandomEx(Seed); }
