//! Medians and the like, of unsorted numbers.

/// The value below which this share (0 to 1) of them lies. NaN of none.
#[must_use]
pub fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let place = (sorted.len().saturating_sub(1) as f64 * share).round() as usize;
    sorted.get(place).copied().unwrap_or(f64::NAN)
}

/// The middle one. NaN of none.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_none_one_and_many() {
        assert!(median(&[]).is_nan());
        assert_eq!(median(&[3.0]), 3.0);
        let many: Vec<f64> = (1..=101).rev().map(f64::from).collect();
        assert_eq!((median(&many), quantile(&many, 0.99), quantile(&many, 1.0)), (51.0, 100.0, 101.0));
    }
}
