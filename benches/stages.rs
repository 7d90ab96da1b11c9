//! Bytes per second of each stage of the pipeline on one core: cut, identify, compress, seal, open.
//!
//! `cargo bench -p system-benches`; the figures belong beside the limits in `docs/PERFORMANCE.md`.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use engine::base::id::PackKind;
use engine::chunk::cut::Cutter;
use engine::chunk::gear::GearTable;
use engine::chunk::level::Level;
use engine::chunk::profile::Profile;
use engine::chunk::squeeze::{Compressor, Decompressor};
use engine::crypt::aead::BlockCipher;
use engine::crypt::hash::ChunkIdKey;
use engine::crypt::secret::SecretKey;
use system_benches::{random_bytes, text_bytes};

const MIB: usize = 1 << 20;

fn inputs() -> [(&'static str, Vec<u8>); 2] {
    [("random", random_bytes(1, 16 * MIB)), ("text", text_bytes(2, 16 * MIB))]
}

fn cut(criterion: &mut Criterion) {
    let gear = Arc::new(GearTable::new(&SecretKey::new([7; 32])));
    let mut group = criterion.benchmark_group("cut");
    for (name, data) in inputs() {
        group.throughput(Throughput::Bytes(data.len() as u64));
        for profile in [Profile::General, Profile::Media] {
            let cutter = Cutter::new(Arc::clone(&gear), profile);
            let id = BenchmarkId::new(format!("{profile:?}"), name);
            group.bench_with_input(id, &data, |bencher, data| {
                bencher.iter(|| {
                    let (mut position, mut count) = (0, 0u32);
                    while let Some(length) = cutter.next(&data[position..], true) {
                        position += length;
                        count += 1;
                    }
                    black_box(count)
                });
            });
        }
    }
}

fn identify(criterion: &mut Criterion) {
    let key = ChunkIdKey::new(&SecretKey::new([7; 32]));
    let data = random_bytes(3, 16 * MIB);
    let mut group = criterion.benchmark_group("identify");
    group.throughput(Throughput::Bytes(data.len() as u64));
    for length in [4 << 10, 64 << 10, MIB] {
        group.bench_with_input(BenchmarkId::from_parameter(length), &data, |bencher, data| {
            bencher.iter(|| {
                data.chunks(length).map(|chunk| key.id(PackKind::Data, chunk).as_bytes()[0]).max()
            });
        });
    }
}

fn squeeze(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("squeeze");
    for (name, data) in inputs() {
        group.throughput(Throughput::Bytes(data.len() as u64));
        for level in [Level::Fast, Level::Auto] {
            let mut compressor = Compressor::new(level);
            let id = BenchmarkId::new(format!("compress {}", level.name()), name);
            group.bench_with_input(id, &data, |bencher, data| {
                let mut out = Vec::with_capacity(2 * MIB);
                bencher.iter(|| {
                    for block in data.chunks(MIB) {
                        out.clear();
                        black_box(compressor.compress_into(block, &mut out));
                    }
                });
            });
        }
        let mut compressor = Compressor::new(Level::Auto);
        let blocks: Vec<(u8, Vec<u8>)> = data
            .chunks(MIB)
            .map(|block| {
                let mut out = Vec::new();
                (compressor.compress_into(block, &mut out), out)
            })
            .collect();
        group.bench_with_input(BenchmarkId::new("decompress", name), &blocks, |bencher, blocks| {
            let mut decompressor = Decompressor::new();
            let mut raw = Vec::with_capacity(MIB);
            bencher.iter(|| {
                for (codec, bytes) in blocks {
                    let result = decompressor.decompress_into(*codec, bytes, MIB, &mut raw);
                    assert!(result.is_ok(), "what was compressed decompresses");
                }
            });
        });
    }
}

fn seal(criterion: &mut Criterion) {
    let cipher = BlockCipher::new(&SecretKey::new([7; 32]));
    let mut group = criterion.benchmark_group("seal");
    group.throughput(Throughput::Bytes(MIB as u64));
    let mut block = random_bytes(4, MIB);
    group.bench_function("seal 1 MiB", |bencher| {
        bencher.iter(|| black_box(cipher.seal_in_place(1, b"associated", &mut block)));
    });
    let mut sealed = random_bytes(5, MIB);
    let tag = cipher.seal_in_place(1, b"associated", &mut sealed);
    sealed.extend_from_slice(&tag);
    group.bench_function("open 1 MiB", |bencher| {
        bencher.iter_batched_ref(
            || sealed.clone(),
            |sealed| assert!(cipher.open_in_place(1, b"associated", sealed).is_ok()),
            criterion::BatchSize::LargeInput,
        );
    });
}

criterion_group! {
    name = stages;
    config = Criterion::default().sample_size(10);
    targets = cut, identify, squeeze, seal
}
criterion_main!(stages);
