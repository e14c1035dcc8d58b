//! Token bucket that limits the frames of one socket.

use std::time::Instant;

/// Token bucket: refills at `per_second` and holds at most twice as many tokens.
#[derive(Debug)]
pub struct TokenBucket {
    per_second: f64,
    tokens: f64,
    filled_at: Instant,
}

impl TokenBucket {
    /// Creates a full bucket with this refill rate.
    pub fn new(per_second: u32, now: Instant) -> Self {
        let per_second = f64::from(per_second);
        Self { per_second, tokens: 2.0 * per_second, filled_at: now }
    }

    /// Takes a token. Returns false if the bucket is empty.
    pub fn take(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.filled_at).as_secs_f64();
        self.tokens = (self.tokens + passed * self.per_second).min(2.0 * self.per_second);
        self.filled_at = now;
        let has_one = self.tokens >= 1.0;
        if has_one {
            self.tokens -= 1.0;
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
        let mut bucket = TokenBucket::new(100, now);
        assert_eq!((0..1_000).filter(|_| bucket.take(now)).count(), 200);
        let later = now + Duration::from_secs(1);
        assert_eq!((0..1_000).filter(|_| bucket.take(later)).count(), 100);
    }
}
