/*
 * Trace.h - WPP's configuration as drivers have it: flags, and trace functions in a comment.
 */
/* clang-format off */
#define WPP_CONTROL_GUIDS \
    WPP_DEFINE_CONTROL_GUID(OddTraceGuid, (d58c126f, b309, 11d1, 969e, 0000f875a5bc), \
        WPP_DEFINE_BIT(ODD_INIT)   /* bit 0 */ \
        WPP_DEFINE_BIT(ODD_QUEUE)  /* bit 1 */)

//
// begin_wpp config
// FUNC TraceEvents(LEVEL, FLAGS, MSG, ...);
// FUNC FuncEntry{LEVEL=TRACE_LEVEL_VERBOSE}(FLAGS);
// USEPREFIX (FuncEntry, "%!STDPREFIX! [%!FUNC!] entry");
// end_wpp
//
