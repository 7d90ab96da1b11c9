//! A straight line through monthly values, and how far the future may be off it.

/// A line fitted by least squares.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line {
    count: f64,
    mean_x: f64,
    mean_y: f64,
    slope: f64,
    squares_x: f64,
    spread: f64,
}

/// What is to be expected.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expected {
    /// Most likely.
    pub likely: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Quantiles 0.975 of Student's distribution for 1 to 30 degrees of freedom.
const T_975: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
    2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056,
    2.052, 2.048, 2.045, 2.042,
];

/// Fewest points of which anything is said.
pub const POINTS_MIN: usize = 4;

/// Fits a line through points; `None` for fewer than [`POINTS_MIN`].
#[must_use]
pub fn fit(points: &[(f64, f64)]) -> Option<Line> {
    if points.len() < POINTS_MIN {
        return None;
    }
    let count = points.len() as f64;
    let mean_x = points.iter().map(|point| point.0).sum::<f64>() / count;
    let mean_y = points.iter().map(|point| point.1).sum::<f64>() / count;
    let squares_x: f64 = points.iter().map(|point| (point.0 - mean_x).powi(2)).sum();
    if squares_x <= 0.0 {
        return None;
    }
    let products: f64 = points.iter().map(|point| (point.0 - mean_x) * (point.1 - mean_y)).sum();
    let slope = products / squares_x;
    let error = |point: &(f64, f64)| point.1 - (mean_y + slope * (point.0 - mean_x));
    let squares: f64 = points.iter().map(|point| error(point).powi(2)).sum();
    let spread = (squares / (count - 2.0)).sqrt();
    Some(Line { count, mean_x, mean_y, slope, squares_x, spread })
}

impl Line {
    /// Rise for one step.
    #[must_use]
    pub const fn slope(&self) -> f64 {
        self.slope
    }

    /// The value at `x` with the interval in which a new one lies with 95 %, if things go on as
    /// they went.
    #[must_use]
    pub fn at(&self, x: f64) -> Expected {
        let likely = self.mean_y + self.slope * (x - self.mean_x);
        let freedom = (self.count as usize).saturating_sub(3).min(T_975.len() - 1);
        let from_mean = (x - self.mean_x).powi(2) / self.squares_x;
        let width = T_975[freedom] * self.spread * (1.0 + 1.0 / self.count + from_mean).sqrt();
        Expected { likely, low: likely - width, high: likely + width }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_again_and_far_away_less_is_sure() {
        let exact: Vec<_> = (0..12).map(|x| (f64::from(x), 5.0 + 2.0 * f64::from(x))).collect();
        let line = fit(&exact).expect("a line");
        assert!((line.slope() - 2.0).abs() < 1e-9);
        assert!((line.at(23.0).high - 51.0).abs() < 1e-6);
        let noisy: Vec<_> = exact
            .iter()
            .map(|(x, y)| (*x, y + if *x as i32 % 2 == 0 { 1.0 } else { -1.0 }))
            .collect();
        let line = fit(&noisy).expect("a line");
        let width = |x: f64| line.at(x).high - line.at(x).low;
        assert!(width(23.0) > width(12.0) && width(12.0) > 4.0);
        assert!(line.at(23.0).low < 51.0 && 51.0 < line.at(23.0).high);
        assert_eq!(fit(&exact[..3]), None);
    }

    #[test]
    fn the_interval_is_the_one_of_the_books() {
        // x = 1..5, y = 2, 4, 5, 4, 5: slope 0.6, residual spread 0.894427, at 6: 5.8 ± 3.182 · s ·
        // sqrt(1 + 1/5 + 9/10) = ± 4.124.
        let line =
            fit(&[(1.0, 2.0), (2.0, 4.0), (3.0, 5.0), (4.0, 4.0), (5.0, 5.0)]).expect("a line");
        let found = line.at(6.0);
        assert!((found.likely - 5.8).abs() < 1e-9);
        assert!((found.high - found.likely - 4.1243).abs() < 1e-3, "{found:?}");
    }
}
