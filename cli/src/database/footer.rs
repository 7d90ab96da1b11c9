//! The last line of a dump as text, which says that it is whole.

/// What `mysqldump` and `mariadb-dump` write when they are done.
pub const MYSQL: &[u8] = b"-- Dump completed";
/// What `pg_dumpall` writes when it is done.
pub const POSTGRESQL: &[u8] = b"-- PostgreSQL database cluster dump complete";

/// How much of the end is kept: a footer with a date, and blank lines behind it.
const KEPT_BYTES: usize = 512;

/// The end of a stream.
#[derive(Debug, Clone, Default)]
pub struct Tail {
    kept: Vec<u8>,
    total_bytes: u64,
}

impl Tail {
    /// Takes the next bytes of the stream.
    pub fn take(&mut self, bytes: &[u8]) {
        self.total_bytes += bytes.len() as u64;
        let new = &bytes[bytes.len().saturating_sub(KEPT_BYTES)..];
        let surplus = (self.kept.len() + new.len()).saturating_sub(KEPT_BYTES);
        self.kept.drain(..surplus);
        self.kept.extend_from_slice(new);
    }

    /// How many bytes came.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        self.total_bytes
    }

    /// Whether one of the last lines begins with `footer`, and nothing but comments and blank lines
    /// comes after it.
    #[must_use]
    pub fn ends_with(&self, footer: &[u8]) -> bool {
        let lines = self.kept.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        for line in lines.rev() {
            if line.starts_with(footer) {
                return true;
            }
            if !line.is_empty() && !line.starts_with(b"--") {
                return false;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_end_is_known_however_it_comes(
            before in proptest::collection::vec(any::<u8>(), 0..3000),
            sizes in proptest::collection::vec(1_usize..700, 1..20),
            cut in 0_usize..40,
        ) {
            let whole = [&before[..], b"\n-- Dump completed on 2026-11-30  1:30:00\n"].concat();
            let given = &whole[..whole.len() - cut];
            let (mut tail, mut rest) = (Tail::default(), given);
            for size in sizes.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (now, later) = rest.split_at((*size).min(rest.len()));
                tail.take(now);
                rest = later;
            }
            prop_assert_eq!(tail.total_bytes(), given.len() as u64);
            // The date may be cut; the words may not.
            prop_assert_eq!(tail.ends_with(MYSQL), cut <= 24);
        }
    }

    #[test]
    fn data_behind_the_footer_is_no_end() {
        let mut tail = Tail::default();
        tail.take(b"-- Dump completed\nINSERT INTO t VALUES (1);\n");
        assert!(!tail.ends_with(MYSQL));
        assert!(!Tail::default().ends_with(MYSQL));
    }
}
