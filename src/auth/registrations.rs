//! How many accounts one address may make for itself, and how many taken names it may find. A network that one customer may
//! have has eight times as many.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::login_throttle::{ADDRESSES, neighbourhood, network};
use crate::rate_limit::{self, Moment, Rate};

/// Fewer records than this are not swept.
const FEW: usize = 10_000;

/// What addresses have registered of late.
#[derive(Debug)]
pub struct Registrations {
    rate: Rate,
    recent: Mutex<Recent>,
}

#[derive(Debug)]
struct Recent {
    /// From which moments on nothing counts any more: accounts made, and names found taken.
    free_at: HashMap<Key, [Moment; 2]>,
    sweep_at: usize,
}

/// What is counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Address(IpAddr),
    Network(IpAddr),
}

/// What is counted.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Made,
    Taken,
}

/// A registration under way. Dropped before it is kept, it counts for nothing.
#[derive(Debug)]
pub struct Place {
    registrations: Arc<Registrations>,
    address: IpAddr,
    is_kept: bool,
}

impl Place {
    /// The account is about to be made, and may be even where nobody waits for the answer any more.
    pub fn keep(&mut self) {
        self.is_kept = true;
    }

    /// It was not made.
    pub fn give_back(mut self) {
        self.is_kept = false;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.is_kept {
            self.registrations.lock().give_back(&self.registrations.limits(self.address), Kind::Made);
        }
    }
}

impl Registrations {
    pub fn new(rate: Rate) -> Arc<Self> {
        let recent = Mutex::new(Recent { free_at: HashMap::new(), sweep_at: FEW });
        Arc::new(Self { rate, recent })
    }

    /// Takes a place for a new account. `Err`: there is one in so many seconds.
    pub fn place(self: &Arc<Self>, address: IpAddr) -> Result<Place, u64> {
        self.take(address, Kind::Made, rate_limit::now())?;
        Ok(Place { registrations: self.clone(), address, is_kept: false })
    }

    /// Counts a name that was found taken. `Err`: no more may be tried for so many seconds.
    pub fn taken(&self, address: IpAddr) -> Result<(), u64> {
        self.take(address, Kind::Taken, rate_limit::now())
    }

    fn limits(&self, address: IpAddr) -> [(Key, Rate); 2] {
        let own = (Key::Address(neighbourhood(address)), self.rate);
        [own, (Key::Network(network(address)), self.rate.times(ADDRESSES))]
    }

    fn take(&self, address: IpAddr, kind: Kind, now: Moment) -> Result<(), u64> {
        let mut recent = self.lock();
        recent.sweep(now);
        let limits = self.limits(address);
        for (taken, (key, rate)) in limits.iter().enumerate() {
            let free_at = &mut recent.free_at.entry(*key).or_default()[kind as usize];
            match rate.take(*free_at, now) {
                Ok(next) => *free_at = next,
                Err(seconds) => {
                    recent.give_back(&limits[..taken], kind);
                    return Err(seconds);
                }
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recent {
    fn give_back(&mut self, limits: &[(Key, Rate)], kind: Kind) {
        for (key, rate) in limits {
            if let Some(free_at) = self.free_at.get_mut(key) {
                free_at[kind as usize] = rate.give_back(free_at[kind as usize]);
            }
        }
    }

    /// Drops addresses of which nothing counts any more, once in a while.
    fn sweep(&mut self, now: Moment) {
        if self.free_at.len() < self.sweep_at {
            return;
        }
        self.free_at.retain(|_, free_at| free_at.iter().any(|moment| *moment > now));
        self.sweep_at = FEW.max(2 * self.free_at.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_made_leaves_room_for_another() {
        let registrations = Registrations::new(Rate::parse("3/h").unwrap());
        let address: IpAddr = [203, 0, 113, 1].into();
        for _ in 0..10 {
            let places: Vec<_> = (0..3).map(|_| registrations.place(address).unwrap()).collect();
            assert!(registrations.place(address).is_err());
            drop(places);
        }
        (0..3).for_each(|_| registrations.place(address).unwrap().keep());
        assert!(registrations.place(address).is_err());
        let others = Registrations::new(Rate::parse("1/h").unwrap());
        let mut place = others.place(address).unwrap();
        place.keep();
        place.give_back();
        others.place(address).unwrap().keep();
        assert!(others.place(address).is_err());
        assert!(registrations.place(address).is_err());
        assert!(registrations.place([203, 0, 113, 2].into()).is_ok());
        assert!(registrations.taken(address).is_ok());
    }

    #[test]
    fn a_network_with_many_addresses_has_a_limit() {
        let registrations = Registrations::new(Rate::parse("3/h").unwrap());
        let made = |number: usize| {
            let address: IpAddr = format!("2001:db8:1:{number:x}::1").parse().unwrap();
            registrations.place(address).map(|mut place| place.keep()).is_ok()
        };
        assert_eq!((0..1_000).filter(|number| made(*number)).count(), 8 * 3);
        assert!(registrations.place("2001:db8:2::1".parse().unwrap()).is_ok());
    }
}
