//! Fuzzes the decoders of the target `probes`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| system_tests::fuzz::run("probes", input));
