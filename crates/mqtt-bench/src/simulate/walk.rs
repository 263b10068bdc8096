//! Values that wander like a room's: in small steps, within limits, the same for the same seed.

use std::ops::Range;

/// Numbers by chance that are the same for the same seed (SplitMix64).
#[derive(Debug)]
pub struct Chance(u64);

impl Chance {
    /// Begins with a seed.
    pub fn new(seed: u64) -> Chance {
        Chance(seed)
    }

    /// A number from 0 to 1.
    pub fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ bits >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^= bits >> 31;
        // 53 bits are what a float holds exactly.
        (bits >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// A value that wanders.
#[derive(Debug)]
pub struct Walk {
    value: f64,
    home: f64,
    limits: Range<f64>,
    /// How far it goes in a second, at the most.
    step: f64,
}

impl Walk {
    /// Begins at a value, to which it is drawn back.
    pub fn new(value: f64, limits: Range<f64>, step: f64) -> Walk {
        Walk {
            value,
            home: value,
            limits,
            step,
        }
    }

    /// Where it is.
    pub fn value(&self) -> f64 {
        self.value
    }

    /// Wanders for so many seconds; `drift` is what pulls at it, in units a second.
    pub fn step(&mut self, seconds: f64, drift: f64, chance: &mut Chance) {
        let by_chance = (chance.next() * 2.0 - 1.0) * self.step * seconds.sqrt();
        // It is drawn home slowly: half the way in a quarter of an hour.
        let back = (self.home - self.value) * (seconds / 1300.0).min(1.0);
        let next = self.value + by_chance + back + drift * seconds;
        self.value = next.clamp(self.limits.start, self.limits.end);
    }
}
