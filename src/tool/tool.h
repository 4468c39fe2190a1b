/*
 * tool.h - what every part of the command line tool shares: exit codes and the one way to speak to the user.
 */
#ifndef NTMM_TOOL_TOOL_H
#define NTMM_TOOL_TOOL_H

enum tool_exit {
    TOOL_OK = 0,
    TOOL_FAILED = 1, /* the work itself failed: a broken trace, a child that died, a full disk */
    TOOL_USAGE = 2   /* the command line asks for something that is not there */
};

/** One sentence on stderr, with "ntmm: " before it and a newline behind it. */
void tool_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** The path of the running program, to start it again as a child; NULL when it cannot be found. Kept for the life of the process. */
const char *tool_self(const char *argv0);

#endif
