//! Round trips, and frames that lie about what they hold.

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::sample::{Index, select};

use super::*;

fn noise(seed: [u8; 32], length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new_keyed(&seed).finalize_xof().fill(&mut bytes);
    bytes
}

fn text(length: usize) -> Vec<u8> {
    (0_u32..)
        .flat_map(|line| format!("line {line} of the file\n").into_bytes())
        .take(length)
        .collect()
}

fn squeeze(level: Level, raw: &[u8]) -> (u8, Vec<u8>) {
    let mut out = Vec::new();
    (Compressor::new(level).compress_into(raw, &mut out), out)
}

fn expand(codec: u8, bytes: &[u8], raw_bytes: usize) -> Result<Vec<u8>, SqueezeError> {
    let mut out = b"left from before".to_vec();
    let outcome = Decompressor::new().decompress_into(codec, bytes, raw_bytes, &mut out);
    assert!(outcome.is_ok() || out.is_empty());
    outcome.map(|()| out)
}

#[test]
fn levels_have_names_and_stronger_ones_save_more() {
    for level in Level::ALL {
        assert_eq!(Level::from_name(level.name()), Some(level));
    }
    assert_eq!(Level::from_name("3"), None);
    assert_eq!(Level::default(), Level::Auto);
    let raw = text(300_000);
    let sizes = Level::ALL.map(|level| squeeze(level, &raw).1.len());
    assert_eq!(sizes[0], raw.len());
    assert!(sizes[1] < raw.len() / 4 && sizes[4] < sizes[1], "{sizes:?}");
}

#[test]
fn what_does_not_compress_is_stored_as_it_is() {
    let raw = noise([1; 32], 100_000);
    for level in Level::ALL {
        assert_eq!(squeeze(level, &raw), (CODEC_STORED, raw.clone()));
    }
    assert_eq!(squeeze(Level::Max, &[]), (CODEC_STORED, Vec::new()));
    // 1 % of zeros is under the threshold, 2 % is above it.
    let mut mixed = raw;
    mixed[..1000].fill(0);
    assert_eq!(squeeze(Level::Auto, &mixed).0, CODEC_STORED);
    mixed[..2000].fill(0);
    assert_eq!(squeeze(Level::Auto, &mixed).0, CODEC_ZSTD);
}

#[test]
fn after_noise_samples_decide_and_now_and_then_all_is_tried() {
    const MIB: usize = 1 << 20;
    let codec =
        |compressor: &mut Compressor, raw: &[u8]| compressor.compress_into(raw, &mut Vec::new());
    let mut compressor = Compressor::new(Level::Auto);
    let raw = noise([3; 32], MIB);
    assert!(!compressor.seems_in_vain(&raw), "nothing is known yet");
    assert_eq!(codec(&mut compressor, &raw), CODEC_STORED);
    assert!(compressor.seems_in_vain(&raw));
    // Text alone, and an eighth of it anywhere.
    for start in (0..MIB).step_by(MIB / 16).take(15) {
        let mut mixed = raw.clone();
        mixed[start..start + MIB / 8].copy_from_slice(&text(MIB / 8));
        assert!(!compressor.seems_in_vain(&mixed), "text from {start} on was overlooked");
    }
    assert_eq!(codec(&mut compressor, &text(MIB)), CODEC_ZSTD);
    assert!(!compressor.seems_in_vain(&raw), "the block before did compress");
    // Samples do not see that the second half repeats most of the first: sooner or later it is tried.
    let mut twice = noise([4; 32], MIB / 2 + 5000).repeat(2);
    twice.truncate(MIB);
    assert_eq!(codec(&mut compressor, &raw), CODEC_STORED);
    assert!(compressor.seems_in_vain(&twice));
    let codecs: Vec<u8> = (0..TRIED_ANYWAY).map(|_| codec(&mut compressor, &twice)).collect();
    assert!(codecs.contains(&CODEC_ZSTD), "{codecs:?}");
    // Who wants the least size tries everything, and a short block always is.
    let mut thorough = Compressor::new(Level::Max);
    assert_eq!(codec(&mut thorough, &raw), CODEC_STORED);
    assert_eq!(codec(&mut thorough, &twice), CODEC_ZSTD);
    assert_eq!(codec(&mut compressor, &raw), CODEC_STORED);
    assert!(!compressor.seems_in_vain(&raw[..SAMPLED_MIN_BYTES - 1]));
}

#[test]
fn output_is_appended_and_the_room_of_a_reused_buffer_suffices() {
    let mut out = b"front".to_vec();
    let mut compressor = Compressor::new(Level::Auto);
    assert_eq!(compressor.compress_into(&text(50_000), &mut out), CODEC_ZSTD);
    let middle = out.len();
    assert_eq!(compressor.compress_into(&noise([2; 32], 900), &mut out), CODEC_STORED);
    assert_eq!(&out[..5], b"front");
    assert_eq!(expand(CODEC_ZSTD, &out[5..middle], 50_000), Ok(text(50_000)));
    assert_eq!(&out[middle..], noise([2; 32], 900));

    let mut reused = Vec::with_capacity(1 << 20);
    let room = reused.as_ptr();
    assert_eq!(compressor.compress_into(&text(500_000), &mut reused), CODEC_ZSTD);
    assert_eq!(reused.as_ptr(), room);
}

#[test]
fn whichever_way_was_gone_it_comes_back() {
    let prose: Vec<u8> = noise([5; 32], 1 << 20).iter().map(|byte| b'a' + byte % 24).collect();
    let mut compressor = Compressor::new(Level::Auto);
    for raw in [&prose, &text(1 << 20), &prose].repeat(12) {
        let mut out = Vec::new();
        assert_eq!(compressor.compress_into(raw, &mut out), CODEC_ZSTD);
        assert_eq!(out[4], 0, "no content size, no checksum");
        assert!(expand(CODEC_ZSTD, &out, raw.len()).as_ref() == Ok(raw));
    }
}

#[test]
fn frames_bear_neither_content_size_nor_checksum() {
    let (codec, frame) = squeeze(Level::Auto, &text(50_000));
    assert_eq!(codec, CODEC_ZSTD);
    assert_eq!(frame[..4], [0x28, 0xb5, 0x2f, 0xfd]);
    // Frame header descriptor (RFC 8878 §3.1.1.1.1): no size, no single segment, no checksum.
    assert_eq!(frame[4], 0);
}

#[test]
fn the_promised_length_must_be_exact() {
    let raw = text(10_000);
    for level in [Level::Off, Level::Auto] {
        let (codec, bytes) = squeeze(level, &raw);
        assert_eq!(expand(codec, &bytes, raw.len()).as_ref(), Ok(&raw));
        for wrong in [0, 1, raw.len() - 1, raw.len() + 1, BLOCK_MAX_RAW_BYTES] {
            assert!(expand(codec, &bytes, wrong).is_err(), "{wrong}");
        }
    }
    let raw_bytes = BLOCK_MAX_RAW_BYTES + 1;
    assert_eq!(expand(CODEC_STORED, &[], raw_bytes), Err(SqueezeError::TooLong { raw_bytes }));
    assert_eq!(expand(CODEC_ZSTD, &[], usize::MAX).map(drop), expand(9, &[], usize::MAX).map(drop));
    assert_eq!(expand(2, &[], 0), Err(SqueezeError::UnknownCodec { codec: 2 }));
}

#[test]
fn a_bomb_costs_no_memory() {
    let (_, bomb) = squeeze(Level::Max, &vec![0; BLOCK_MAX_RAW_BYTES]);
    assert!(bomb.len() < 2000);
    let mut out = Vec::new();
    let outcome = Decompressor::new().decompress_into(CODEC_ZSTD, &bomb, 100, &mut out);
    assert!(outcome.is_err() && out.capacity() < 1000);
}

#[test]
fn a_block_is_one_frame_and_nothing_else() {
    let raw = text(5000);
    let (_, frame) = squeeze(Level::Auto, &raw);
    let skippable = [0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 0];
    for bytes in [
        [frame.as_slice(), &skippable].concat(),
        [&skippable, frame.as_slice()].concat(),
        [frame.as_slice(), &[0]].concat(),
        frame[..frame.len() - 1].to_vec(),
        Vec::new(),
    ] {
        assert!(expand(CODEC_ZSTD, &bytes, raw.len()).is_err());
    }
    let twice = frame.repeat(2);
    assert!(expand(CODEC_ZSTD, &twice, 2 * raw.len()).is_err());
}

#[test]
fn zeros_are_found_and_a_single_bit_is_not_overlooked() {
    for length in [0, 1, 127, 128, 129, 255, 4096, 16_384] {
        let mut bytes = vec![0; length];
        assert!(is_zero(&bytes));
        for place in 0..length {
            bytes[place] = 0x80;
            assert!(!is_zero(&bytes), "{place} of {length}");
            bytes[place] = 0;
        }
    }
}

fn content() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        (any::<[u8; 32]>(), 0..20_000_usize).prop_map(|(seed, length)| noise(seed, length)),
        (0..20_000_usize).prop_map(text),
        Just(vec![0; 3000]),
    ];
    vec(piece, 0..4).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn every_level_brings_the_bytes_back(raw in content(), level in select(&Level::ALL[..])) {
        let (codec, bytes) = squeeze(level, &raw);
        prop_assert!(bytes.len() <= raw.len());
        prop_assert_eq!(expand(codec, &bytes, raw.len()), Ok(raw));
    }

    #[test]
    fn garbage_neither_panics_nor_grows(
        raw in content(),
        garbage in vec(any::<u8>(), 0..200),
        place: Index,
        raw_bytes in 0..100_000_usize,
    ) {
        let mut decompressor = Decompressor::new();
        let (_, mut frame) = squeeze(Level::Fast, &[raw.as_slice(), &[0; 4000]].concat());
        let start = place.index(frame.len());
        let end = frame.len().min(start + garbage.len());
        frame[start..end].copy_from_slice(&garbage[..end - start]);
        for bytes in [&frame, &garbage] {
            let mut out = Vec::new();
            let outcome = decompressor.decompress_into(CODEC_ZSTD, bytes, raw_bytes, &mut out);
            prop_assert_eq!(out.len(), if outcome.is_ok() { raw_bytes } else { 0 });
            prop_assert!(out.capacity() <= raw_bytes.max(8));
        }
        // A context that has seen garbage still works.
        let (_, good) = squeeze(Level::Fast, &text(4000));
        let mut out = Vec::new();
        let outcome = decompressor.decompress_into(CODEC_ZSTD, &good, 4000, &mut out);
        prop_assert_eq!(outcome, Ok(()));
        prop_assert_eq!(out, text(4000));
    }
}
