//! Repeatable data for benchmarks: the same bytes on every machine, from a seed.

/// Bytes that do not compress, from the BLAKE3 stream of `seed`.
#[must_use]
pub fn random_bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    hasher.finalize_xof().fill(&mut bytes);
    bytes
}

/// Bytes that compress about as well as source code: words of a small vocabulary, drawn unevenly.
#[must_use]
pub fn text_bytes(seed: u64, length: usize) -> Vec<u8> {
    const WORDS: [&str; 24] = [
        "let ", "self.", "return ", "if ", "(", ")\n", " = ", ";\n    ", "match ", "=> ", "&str",
        "fn ", "index", "offset", "length", "bytes", "chunk", "error", "->", "Result<", ">", "{\n",
        "}\n", "// ",
    ];
    let draws = random_bytes(seed, length / 2 + 64);
    let mut text = Vec::with_capacity(length + 16);
    for pair in draws.chunks_exact(2) {
        // The product of two draws favours the words in front.
        let choice = usize::from(pair[0]) * usize::from(pair[1]) * WORDS.len() / (256 * 256);
        text.extend_from_slice(WORDS[choice].as_bytes());
        if pair[0] > 250 {
            text.extend_from_slice(format!("{:02x}{:02x}", pair[0], pair[1]).as_bytes());
        }
        if text.len() >= length {
            break;
        }
    }
    text.resize(length, b' ');
    text
}
