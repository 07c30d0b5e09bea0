//! Nothing but tests: a global allocator is one for a whole program, and must not slow the other suites down.
