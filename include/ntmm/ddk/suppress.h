/* suppress.h - numbers of analyser warnings, for pragmas; a matter of its build tools, and empty here. */
