//! Tests of the file system against the other ways to read.
