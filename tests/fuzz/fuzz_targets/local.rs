//! Fuzzes the decoders of the target `local`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| system_tests::fuzz::run("local", input));
