//! Sets of message positions in a segment.

/// Bitset of message positions in a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Positions(Vec<u64>);

impl Positions {
    /// Returns the empty set for `count` positions.
    pub fn none(count: usize) -> Self {
        Self(vec![0; count.div_ceil(64)])
    }

    /// Returns the set of all `count` positions, rounded up to a multiple of 64.
    pub fn all(count: usize) -> Self {
        Self(vec![u64::MAX; count.div_ceil(64)])
    }

    pub fn insert(&mut self, position: usize) {
        if let Some(bits) = self.0.get_mut(position / 64) {
            *bits |= 1 << (position % 64);
        }
    }

    /// Adds eight positions from `8 * number` on, one for each bit that is set.
    pub fn insert_byte(&mut self, number: usize, byte: u8) {
        if let Some(bits) = self.0.get_mut(number / 8) {
            *bits |= u64::from(byte) << (number % 8 * 8);
        }
    }

    /// Keeps the positions that are also in `other`.
    pub fn intersect(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(bits, other)| *bits &= other);
    }

    /// Returns the number of positions in the set.
    pub fn count(&self) -> usize {
        self.0.iter().map(|bits| bits.count_ones() as usize).sum()
    }

    /// Iterates over the positions in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = usize> {
        self.0.iter().enumerate().flat_map(|(block, bits)| {
            let mut bits = *bits;
            std::iter::from_fn(move || {
                let lowest = (bits != 0).then(|| bits.trailing_zeros())?;
                bits &= bits - 1;
                Some(block * 64 + lowest as usize)
            })
        })
    }
}
