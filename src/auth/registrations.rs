//! How many accounts one address may make for itself, and how many taken names it may find.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::failures::neighbourhood;
use crate::limits::{self, Moment, Rate};

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
    free_at: HashMap<IpAddr, [Moment; 2]>,
    sweep_at: usize,
}

/// What is counted.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Made,
    Taken,
}

/// A registration under way. Unless it is kept it counts for nothing.
#[derive(Debug)]
pub struct Place {
    registrations: Arc<Registrations>,
    address: IpAddr,
    is_kept: bool,
}

impl Place {
    /// The account was made.
    pub fn keep(mut self) {
        self.is_kept = true;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.is_kept {
            let mut recent = self.registrations.lock();
            if let Some(free_at) = recent.free_at.get_mut(&self.address) {
                free_at[Kind::Made as usize] =
                    self.registrations.rate.give_back(free_at[Kind::Made as usize]);
            }
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
        let address = neighbourhood(address);
        self.take(address, Kind::Made, limits::now())?;
        Ok(Place { registrations: self.clone(), address, is_kept: false })
    }

    /// Counts a name that was found taken. `Err`: no more may be tried for so many seconds.
    pub fn taken(&self, address: IpAddr) -> Result<(), u64> {
        self.take(neighbourhood(address), Kind::Taken, limits::now())
    }

    fn take(&self, address: IpAddr, kind: Kind, now: Moment) -> Result<(), u64> {
        let mut recent = self.lock();
        recent.sweep(now);
        let free_at = &mut recent.free_at.entry(address).or_default()[kind as usize];
        *free_at = self.rate.take(*free_at, now)?;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recent {
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
        assert!(registrations.place([203, 0, 113, 2].into()).is_ok());
        assert!(registrations.taken(address).is_ok());
    }
}
