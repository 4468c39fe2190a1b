/* dontuse.h - poisons routines that Windows drivers should not use; a matter of its build tools, and empty here. */
