//! How much a client may send over one socket.

use std::time::Instant;

/// A bucket of tokens: it fills at a rate and holds twice as much.
#[derive(Debug)]
pub struct Allowance {
    per_second: f64,
    left: f64,
    filled_at: Instant,
}

impl Allowance {
    /// A full bucket that fills with so many tokens a second.
    pub fn new(per_second: u32, now: Instant) -> Self {
        let per_second = f64::from(per_second);
        Self { per_second, left: 2.0 * per_second, filled_at: now }
    }

    /// Takes a token, if there is one.
    pub fn take(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.filled_at).as_secs_f64();
        self.left = (self.left + passed * self.per_second).min(2.0 * self.per_second);
        self.filled_at = now;
        let has_one = self.left >= 1.0;
        if has_one {
            self.left -= 1.0;
        }
        has_one
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn twice_the_rate_at_once_and_the_rate_from_then_on() {
        let now = Instant::now();
        let mut allowance = Allowance::new(100, now);
        assert_eq!((0..1_000).filter(|_| allowance.take(now)).count(), 200);
        let later = now + Duration::from_secs(1);
        assert_eq!((0..1_000).filter(|_| allowance.take(later)).count(), 100);
    }
}
