//! Whole systems under test: real processes, sockets, databases and browsers.
