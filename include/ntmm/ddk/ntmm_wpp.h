/*
 * ntmm_wpp.h - what every .tmh file of WPP software tracing has. A preprocessor makes such a file for each source on Windows; here the line that
 * includes it is replaced by this header, the trace functions that the driver's configuration blocks declare, and its flags (ntmm_rewrite.awk).
 *
 * No trace session ever listens, so messages are not composed, and what they are given is not evaluated: on Windows, too, that happens only
 * while somebody traces.
 *
 * Source  WDK documentation: "Adding WPP Software Tracing to a Windows Driver", WPP_INIT_TRACING, WPP_CLEANUP, DoTraceMessage.
 */
#ifndef NTMM_DDK_WPP_H
#define NTMM_DDK_WPP_H

#define NTMM_WPP_MESSAGE_(...) ((void)0)

#define WPP_INIT_TRACING(...) ((void)0)
#define WPP_CLEANUP(...) ((void)0)
#define WPP_SYSTEMCONTROL(...) ((void)0)
#define WPP_SYSTEMCONTROL2(...) ((void)0)
#define WPP_REGISTER_TRACING ((void)0)
#define WPP_LEVEL_ENABLED(flag) 0
#define WPP_FLAG_ENABLED(flag) 0

#ifndef DoTraceMessage
#define DoTraceMessage(...) NTMM_WPP_MESSAGE_(__VA_ARGS__)
#endif

#endif
