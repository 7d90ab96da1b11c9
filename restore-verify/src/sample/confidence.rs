//! What a number of draws says of everything that was drawn from.
//!
//! The exact bound of Clopper and Pearson: the largest share of defects under which so few
//! failures would still be seen with probability 1 − confidence. Without a failure it is
//! 1 − (1 − confidence)^(1/n): 299 draws say under 1 % at 95 %, 2,995 draws under 0.1 %. Drawing
//! without putting back, as drills do, makes the statement safer, not weaker.

/// Confidence that reports state.
pub const CONFIDENCE: f64 = 0.95;

/// Upper bound of the share of defects after `draws` with `failures`, at `confidence`.
#[must_use]
pub fn defect_bound(draws: u64, failures: u64, confidence: f64) -> f64 {
    if draws == 0 || failures >= draws {
        return 1.0;
    }
    let alpha = 1.0 - confidence;
    if failures == 0 {
        return 1.0 - alpha.powf(1.0 / draws as f64);
    }
    let (mut low, mut high) = (failures as f64 / draws as f64, 1.0);
    for _ in 0..100 {
        let middle = f64::midpoint(low, high);
        match at_most(draws, failures, middle) > alpha {
            true => low = middle,
            false => high = middle,
        }
    }
    high
}

/// Draws without a failure that show a share of defects below `share`.
#[must_use]
pub fn draws_needed(share: f64, confidence: f64) -> u64 {
    if share <= 0.0 || share >= 1.0 {
        return if share >= 1.0 { 1 } else { u64::MAX };
    }
    ((1.0 - confidence).ln() / (1.0 - share).ln()).ceil() as u64
}

/// Probability of at most `failures` in `draws` at a share of `p`, by logarithms of the terms.
fn at_most(draws: u64, failures: u64, p: f64) -> f64 {
    let (n, odds) = (draws as f64, (p / (1.0 - p)).ln());
    let mut log_term = n * (1.0 - p).ln();
    let mut sum = log_term.exp();
    for k in 1..=failures {
        log_term += ((n - k as f64 + 1.0) / k as f64).ln() + odds;
        sum += log_term.exp();
    }
    sum
}

/// The sentence that a report states.
#[must_use]
pub fn statement(draws: u64, failures: u64) -> String {
    if draws == 0 {
        return "nothing was drawn, nothing is shown".to_owned();
    }
    let bound = defect_bound(draws, failures, CONFIDENCE) * 100.0;
    let digits = if bound < 1.0 { 3 } else { 1 };
    // Outwards: a bound that is rounded down is none.
    let scale = 10_f64.powi(digits);
    let (bound, digits) = ((bound * scale).ceil() / scale, digits as usize);
    let failed = if failures == 1 { "1 failure" } else { &format!("{failures} failures") };
    format!("{failed} in {draws} draws: under {bound:.digits$} % defective at 95 %")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_the_books() {
        assert_eq!(draws_needed(0.01, 0.95), 299);
        assert_eq!(draws_needed(0.001, 0.95), 2995);
        assert!(defect_bound(299, 0, 0.95) < 0.01 && defect_bound(298, 0, 0.95) > 0.01);
        // Clopper and Pearson, one-sided 95 %: 1 of 100 gives 4.656 %, 5 of 50 gives 19.92 %.
        assert!((defect_bound(100, 1, 0.95) - 0.046_56).abs() < 1e-4);
        assert!((defect_bound(50, 5, 0.95) - 0.199_2).abs() < 1e-3);
        assert!((defect_bound(10, 10, 0.95) - 1.0).abs() < f64::EPSILON);
        assert!((defect_bound(0, 0, 0.95) - 1.0).abs() < f64::EPSILON);
    }

    #[test]
    fn more_draws_say_more_and_failures_less() {
        assert!(defect_bound(1000, 0, 0.95) < defect_bound(100, 0, 0.95));
        assert!(defect_bound(1000, 3, 0.95) > defect_bound(1000, 2, 0.95));
        assert_eq!(statement(299, 0), "0 failures in 299 draws: under 0.997 % defective at 95 %");
        assert!(statement(50, 1).starts_with("1 failure in 50 draws: "));
    }

    #[test]
    fn a_bound_is_never_said_to_be_less_than_it_is() {
        for (draws, failures) in (1..400).flat_map(|draws| [(draws, 0), (draws, 1), (draws, 7)]) {
            let said = statement(draws, failures);
            let (_, after) = said.split_once("under ").expect("a bound");
            let shown: f64 =
                after.split(' ').next().and_then(|it| it.parse().ok()).expect("a number");
            let bound = defect_bound(draws, failures, CONFIDENCE) * 100.0;
            assert!(shown >= bound && shown - bound < 0.1 + 1e-9, "{said}: {bound}");
        }
    }
}
