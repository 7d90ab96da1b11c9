//! How long a restore of everything would take, from restores of parts.
//!
//! The model is `time = fixed + bytes · a + files · b` with no negative part: what a run costs by
//! itself, what bytes cost, what each file costs. It is fitted by least squares, weighted by size,
//! so that the many small observations do not outvote the few that resemble a whole restore. The
//! interval is twice the spread of the relative errors, and never less than a tenth to each side:
//! a fit through few points can look better than it is.

/// A restore that was measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation {
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Wall time, in milliseconds.
    pub wall_ms: f64,
}

/// The fitted model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Model {
    /// Milliseconds of a run by itself.
    pub fixed_ms: f64,
    /// Milliseconds for a byte.
    pub byte_ms: f64,
    /// Milliseconds for a file.
    pub file_ms: f64,
    /// Spread of the relative errors.
    pub spread: f64,
    /// Observations it was fitted on.
    pub observations: u64,
}

/// Time of a whole restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// Most likely, in milliseconds.
    pub likely_ms: u64,
    /// Lower end.
    pub low_ms: u64,
    /// Upper end.
    pub high_ms: u64,
}

const SPREAD_MIN: f64 = 0.05;

/// Fits the model; `None` without an observation of any size.
#[must_use]
pub fn fit(observations: &[Observation]) -> Option<Model> {
    let rows: Vec<([f64; 3], f64, f64)> = observations
        .iter()
        .filter(|one| one.wall_ms > 0.0 && one.files > 0)
        .map(|one| ([1.0, one.bytes as f64, one.files as f64], one.wall_ms, one.wall_ms.recip()))
        .collect();
    if rows.is_empty() {
        return None;
    }
    // The best fit without a negative part lies on one of the faces: try all of them.
    let mut best: Option<(f64, [f64; 3])> = None;
    for face in (1..8_u8).filter(|face| rows.len() > 2 || face & 1 == 0) {
        // With one or two observations a fixed part could swallow everything else.
        let Some(fitted) = solve(&rows, face) else { continue };
        if fitted.iter().any(|part| *part < 0.0) {
            continue;
        }
        let loss: f64 = rows.iter().map(|row| weighted_error(row, &fitted).powi(2)).sum();
        if best.is_none_or(|(least, _)| loss < least * (1.0 - 1e-9)) {
            best = Some((loss, fitted));
        }
    }
    let (_, [fixed_ms, byte_ms, file_ms]) = best?;
    let freedom = (rows.len() as f64 - 3.0).max(1.0);
    let squares: f64 = rows
        .iter()
        .map(|(parts, wall, _)| {
            (predict(parts, &[fixed_ms, byte_ms, file_ms]) / wall - 1.0).powi(2)
        })
        .sum();
    let spread = (squares / freedom).sqrt().max(SPREAD_MIN);
    Some(Model { fixed_ms, byte_ms, file_ms, spread, observations: rows.len() as u64 })
}

impl Model {
    /// Time of a restore of so many files with so many bytes.
    #[must_use]
    pub fn estimate(&self, files: u64, bytes: u64) -> Estimate {
        let likely = self.fixed_ms + self.byte_ms * bytes as f64 + self.file_ms * files as f64;
        let width = (2.0 * self.spread).min(0.9);
        Estimate {
            likely_ms: likely.round() as u64,
            low_ms: (likely * (1.0 - width)).floor() as u64,
            high_ms: (likely * (1.0 + width)).ceil() as u64,
        }
    }
}

type WeightedRow = ([f64; 3], f64, f64);

fn predict(parts: &[f64; 3], fitted: &[f64; 3]) -> f64 {
    parts.iter().zip(fitted).map(|(part, factor)| part * factor).sum()
}

/// Errors count by the square root of the time: between absolute and relative.
fn weighted_error((parts, wall, inverse): &WeightedRow, fitted: &[f64; 3]) -> f64 {
    (predict(parts, fitted) - wall) * inverse.sqrt()
}

/// Least squares over the parts whose bits are set in `face`, by the normal equations.
fn solve(rows: &[WeightedRow], face: u8) -> Option<[f64; 3]> {
    let used: Vec<usize> = (0..3).filter(|part| face & 1 << part != 0).collect();
    if used.len() > rows.len() {
        return None;
    }
    let n = used.len();
    // Columns scaled to their largest value, so that bytes do not drown the rest.
    let scale: Vec<f64> = used
        .iter()
        .map(|part| rows.iter().map(|row| row.0[*part]).fold(0.0, f64::max).max(1.0))
        .collect();
    let mut matrix = vec![vec![0.0; n + 1]; n];
    for (parts, wall, weight) in rows {
        for i in 0..n {
            let left = parts[used[i]] / scale[i];
            for j in 0..n {
                matrix[i][j] += weight * left * parts[used[j]] / scale[j];
            }
            matrix[i][n] += weight * left * wall;
        }
    }
    for column in 0..n {
        let best =
            |a: &usize, b: &usize| matrix[*a][column].abs().total_cmp(&matrix[*b][column].abs());
        let pivot = (column..n).max_by(best)?;
        matrix.swap(column, pivot);
        let top = matrix[column].clone();
        if top[column].abs() < 1e-9 {
            return None;
        }
        for (number, row) in matrix.iter_mut().enumerate().filter(|(number, _)| *number != column) {
            debug_assert_ne!(number, column);
            let factor = row[column] / top[column];
            row.iter_mut().zip(&top).for_each(|(cell, above)| *cell -= factor * above);
        }
    }
    let mut fitted = [0.0; 3];
    for (i, part) in used.iter().enumerate() {
        fitted[*part] = matrix[i][n] / matrix[i][i] / scale[i];
    }
    Some(fitted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observe(files: u64, bytes: u64, noise: f64) -> Observation {
        let wall_ms = (30.0 + bytes as f64 * 4e-6 + files as f64 * 0.2) * noise;
        Observation { files, bytes, wall_ms }
    }

    #[test]
    fn a_whole_restore_is_foretold_from_parts_with_noise() {
        let parts = [
            observe(60, 2 << 20, 1.03),
            observe(120, 40 << 20, 0.96),
            observe(300, 8 << 20, 1.05),
            observe(20, 16 << 20, 0.97),
            observe(700, 30 << 20, 1.01),
            observe(1, 32 << 20, 1.02),
        ];
        let model = fit(&parts).expect("there are enough");
        let found = model.estimate(40_000, 2 << 30);
        let truth = observe(40_000, 2 << 30, 1.0).wall_ms;
        let error = found.likely_ms as f64 / truth - 1.0;
        assert!(error.abs() < 0.1, "{error} {model:?}");
        assert!((found.low_ms as f64) < truth && truth < found.high_ms as f64);
    }

    #[test]
    fn parts_of_one_shape_or_a_single_one_still_give_a_sensible_answer() {
        let alike: Vec<_> = (1..5).map(|n| observe(10 * n, n << 20, 1.0)).collect();
        let found = fit(&alike).expect("it fits").estimate(10_000, 1000 << 20);
        let truth = observe(10_000, 1000 << 20, 1.0).wall_ms;
        assert!((found.likely_ms as f64 / truth - 1.0).abs() < 0.05, "{found:?} {truth}");
        assert!(fit(&[observe(5, 100, 1.0)]).is_some());
        assert_eq!(fit(&[]), None);
    }
}
