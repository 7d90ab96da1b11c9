//! Known answers from the published standards, so that a change of crate cannot change the format.
//!
//! Each value is that of the document named beside it. Where one of our functions fixes an input
//! that a published vector varies (a nonce, a secret), the crate behind it is asked directly with
//! the same types. What has no published vector is frozen at its first value.

use std::convert::Infallible;

use argon2::{Algorithm, Argon2, AssociatedData, ParamsBuilder, Version};
use chacha20poly1305::aead::inout::InOutBuf;
use chacha20poly1305::{AeadInOut, ChaCha20Poly1305, KeyInit};
use hpke::rand_core::{TryCryptoRng, TryRng};
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};

use crate::base::id::{PackKind, encode_hex};
use crate::crypt::secret::SecretKey;
use crate::crypt::{aead, hash, kdf, phrase, seal, sign};

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let pairs = digits.chunks_exact(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

fn hex_array<const N: usize>(text: &str) -> [u8; N] {
    hex(text).try_into().unwrap()
}

const SUNSCREEN: &[u8] = b"Ladies and Gentlemen of the class of '99: If I could offer you only \
    one tip for the future, sunscreen would be it.";
const SUNSCREEN_KEY: &str = "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f";
const SUNSCREEN_AAD: &str = "50515253c0c1c2c3c4c5c6c7";

/// RFC 8439 §2.8.2.
#[test]
fn chacha20_poly1305() {
    let mut text = SUNSCREEN.to_vec();
    let tag = ChaCha20Poly1305::new(&hex_array::<32>(SUNSCREEN_KEY).into())
        .encrypt_inout_detached(
            &hex_array::<12>("070000004041424344454647").into(),
            &hex(SUNSCREEN_AAD),
            InOutBuf::from(text.as_mut_slice()),
        )
        .unwrap();
    assert_eq!(
        encode_hex(&text),
        "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6\
         3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36\
         92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc\
         3ff4def08e4b7a9de576d26586cec64b6116"
    );
    assert_eq!(encode_hex(&tag), "1ae10b594f09e26a7e902ecbd0600691");
}

/// The same cipher with the nonce that a block has: eight random bytes, then its number,
/// little-endian.
#[test]
fn the_nonce_of_a_block_is_random_and_its_number() {
    let key = SecretKey::new(hex_array(SUNSCREEN_KEY));
    let mut ours = [&[0; 8], SUNSCREEN].concat();
    let tag = aead::BlockCipher::new(&key).seal_in_place(0x0403_0201, b"aad", &mut ours);
    let (salt, sealed) = ours.split_at(8);
    let mut nonce = [0; 12];
    nonce[..8].copy_from_slice(salt);
    nonce[8..].copy_from_slice(&[1, 2, 3, 4]);
    let mut plain = SUNSCREEN.to_vec();
    let wanted = ChaCha20Poly1305::new(key.expose().into())
        .encrypt_inout_detached(&nonce.into(), b"aad", InOutBuf::from(plain.as_mut_slice()))
        .unwrap();
    assert_eq!((sealed, tag), (plain.as_slice(), wanted.into()));
}

/// draft-irtf-cfrg-xchacha-03, appendix A.3.1.
#[test]
fn xchacha20_poly1305() {
    let sealed = hex("404142434445464748494a4b4c4d4e4f5051525354555657\
         bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb\
         731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452\
         2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9\
         21f9664c97637da9768812f615c68b13b52e\
         c0875924c1c7987947deafd8780acf49");
    let key = SecretKey::new(hex_array(SUNSCREEN_KEY));
    assert_eq!(aead::open(&key, &hex(SUNSCREEN_AAD), &sealed).as_deref(), Ok(SUNSCREEN));
}

/// RFC 9106 §5.3; it has a secret and associated data, which slots do not use.
#[test]
fn argon2id() {
    let params = ParamsBuilder::new()
        .m_cost(32)
        .t_cost(3)
        .p_cost(4)
        .data(AssociatedData::new(&[4; 12]).unwrap())
        .build()
        .unwrap();
    let mut tag = [0; 32];
    Argon2::new_with_secret(&[3; 8], Algorithm::Argon2id, Version::V0x13, params)
        .unwrap()
        .hash_password_into(&[1; 32], &[2; 16], &mut tag)
        .unwrap();
    assert_eq!(
        encode_hex(&tag),
        "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659"
    );
}

/// As slots use it, without secret and associated data; the value is that of the reference
/// implementation in C.
#[test]
fn argon2id_without_secret() {
    let key = kdf::stretch(b"password", b"somesaltsomesalt", 256, 2, 2).unwrap();
    assert_eq!(encode_hex(key.expose()), ARGON2_PLAIN);
}

const ARGON2_PLAIN: &str = "c112d2ee6b9d514413f806243187952186e8f19cacab80f20a823d549f111d2c";

/// RFC 8032 §7.1, tests 1 to 3: seed, public key, message, signature.
const ED25519: [[&str; 4]; 3] = [
    [
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155\
         5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ],
    [
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
         085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ],
    [
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac\
         18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ],
];

#[test]
fn ed25519() {
    for [seed, public, message, signature] in ED25519 {
        let key = sign::SigningKey::from_seed(&SecretKey::new(hex_array(seed)));
        assert_eq!(key.public(), hex_array(public));
        assert_eq!(key.sign(&hex(message)), hex_array(signature));
        let verified = sign::verify(&hex_array(public), &hex(message), &hex_array(signature));
        assert_eq!(verified, Ok(()));
    }
}

/// RFC 9180, appendix A.2.1: derivation of the recipient's pair, and the first message.
#[test]
fn hpke_x25519() {
    type X25519 = hpke::kem::X25519HkdfSha256;
    let seed = SecretKey::new(hex_array(
        "1ac01f181fdf9f352797655161c58b75c656a6cc2716dcb66372da835542e1df",
    ));
    let (_, public) = seal::key_pair(seal::Suite::X25519, &seed);
    assert_eq!(
        encode_hex(&public.to_bytes()),
        "4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a"
    );
    let (secret, _) = X25519::derive_keypair(seed.expose());
    let encapsulation = <X25519 as Kem>::EncappedKey::from_bytes(&hex(
        "1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a",
    ));
    let opened =
        hpke::single_shot_open::<hpke::aead::ChaCha20Poly1305, hpke::kdf::HkdfSha256, X25519>(
            &OpModeR::Base,
            &secret,
            &encapsulation.unwrap(),
            b"Ode on a Grecian Urn",
            &hex("1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db\
              21993c62ce81883d2dd1b51a28"),
            b"Count-0",
        );
    assert_eq!(opened.as_deref(), Ok(&b"Beauty is truth, truth beauty"[..]));
}

/// Random bytes that are the same every time, for encapsulations that can be compared.
struct Fixed(blake3::OutputReader);

impl TryRng for Fixed {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(bytes);
        Ok(())
    }
}

impl TryCryptoRng for Fixed {}

/// Packs sealed today must open for decades: public key, encapsulation and sealed key are frozen.
/// OpenSSL's ML-KEM-768 and X25519, under the HPKE of pyca/cryptography 48, derive the same pair
/// and open the same bytes.
#[test]
fn hpke_x_wing_is_frozen() {
    type XWing = hpke::kem::XWing;
    let (secret, public) = seal::key_pair(seal::Suite::XWing, &SecretKey::new([7; 32]));
    assert_eq!(public.to_bytes().len(), 1216);
    assert_eq!(hash::digest(&public.to_bytes()).to_string(), X_WING_PUBLIC);

    let recipient = <XWing as Kem>::PublicKey::from_bytes(&public.to_bytes()).unwrap();
    let mut random = Fixed(blake3::Hasher::new_keyed(&[8; 32]).finalize_xof());
    let (encapsulation, sealed) = hpke::single_shot_seal_with_rng::<
        hpke::aead::ChaCha20Poly1305,
        hpke::kdf::HkdfSha256,
        XWing,
    >(
        &OpModeS::Base, &recipient, b"info", &[9; 32], b"", &mut random
    )
    .unwrap();
    let encapsulation = encapsulation.to_bytes();
    assert_eq!(encapsulation.len(), 1120);
    assert_eq!(hash::digest(&encapsulation).to_string(), X_WING_ENCAPSULATION);
    assert_eq!(encode_hex(&sealed), X_WING_SEALED);

    let opened = secret.open_key(b"info", &encapsulation, &sealed.try_into().unwrap());
    assert_eq!(opened.map(|key| *key.expose()), Ok([9; 32]));
}

const X_WING_PUBLIC: &str = "4973120fb21b36d44f8881334dab19e5eb899ba637d774e1f903defb599c8de0";
const X_WING_ENCAPSULATION: &str =
    "a276c3d63d0492d500c6ce8acaa975519d2e6c625de2d843601a84f2945ac716";
const X_WING_SEALED: &str = "cc8fdecfa2e551cfeceee4a015964678eada89aff0338394\
    38f7beb0b6a75e23f6b794d9b2dbc0a87142dd7213285649";

/// Official BLAKE3 test vectors: the bytes 0 to 250, repeated.
fn blake3_input(length: usize) -> Vec<u8> {
    (0..=250).cycle().take(length).collect()
}

#[test]
fn blake3_modes() {
    assert_eq!(
        hash::digest(&blake3_input(102_400)).to_string(),
        "bc3e3d41a1146b069abffad3c0d44860cf664390afce4d9661f7902e7943e085"
    );
    let key = SecretKey::new(*b"whats the Elvish word for friend");
    for (length, code) in [
        (0, "92b2b75604ed3c761f9d6f62392c8a9227ad0ea3f09573e783f1498a4ed60d26"),
        (1, "6d7878dfff2f485635d39013278ae14f1454b8c0a3a2d34bc1ab38228a80c95b"),
        (1025, "357dc55de0c7e382c900fd6e320acc04146be01db6a8ce7210b7189bd664ea69"),
        (102_400, "1c35d1a5811083fd7119f5d5d1ba027b4d01c0c6c49fb6ff2cf75393ea5db4a7"),
    ] {
        assert_eq!(encode_hex(&hash::mac(&key, &blake3_input(length))), code);
    }
    let context = "BLAKE3 2019-12-27 16:29:52 test vectors context";
    assert_eq!(
        encode_hex(&blake3::derive_key(context, &blake3_input(1025))),
        "effaa245f065fbf82ac186839a249707c3bddf6d3fdda22d1b95a3c970379bcb"
    );
    // Ours is the same mode over each part with its length in front.
    let framed = blake3::derive_key(context, b"\x02\0\0\0ab\0\0\0\0\x01\0\0\0c");
    assert_eq!(hash::derive(context, &[b"ab", b"", b"c"]).expose(), &framed);
}

/// No document has these: the first values, which version 2 keeps.
#[test]
fn chunk_ids_and_commitments_are_frozen() {
    let key = SecretKey::new(*b"whats the Elvish word for friend");
    let id = |kind, length| hash::ChunkIdKey::new(&key).id(kind, &blake3_input(length)).to_string();
    assert_eq!(id(PackKind::Data, 102_400), ID_DATA);
    assert_eq!(id(PackKind::Tree, 3), ID_TREE);
    assert_eq!(encode_hex(&hash::commitment(&key)), COMMITMENT);
}

const ID_DATA: &str = "93ebaa80147835dd4102aca9cc9f050b6b21c33c66e40ee1304bc48aedeff5ea";
const ID_TREE: &str = "c709a58b2733725c2f93d335fb3e9d672f6b4cb93d213381c14331b3dfdcea73";
const COMMITMENT: &str = "4cad874f06049e18689fcc839b4cf551";

/// The BIP-39 test vectors of Trezor's reference implementation, English, 256 bits.
#[test]
fn bip39() {
    for (entropy, words) in [
        ("00".repeat(32), format!("{}art", "abandon ".repeat(23))),
        ("ff".repeat(32), format!("{}vote", "zoo ".repeat(23))),
        ("7f".repeat(32), format!("{}title", BIP39_7F)),
    ] {
        let key = SecretKey::new(hex_array(&entropy));
        assert_eq!(phrase::words(&key), words);
        let found = phrase::from_words(&words).map(|found| *found.expose());
        assert_eq!(found, Ok(*key.expose()));
    }
}

const BIP39_7F: &str = "legal winner thank year wave sausage worth useful legal winner thank \
    year wave sausage worth useful legal winner thank year wave sausage worth ";
