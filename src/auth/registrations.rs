//! Rate limit of registrations: how many accounts an address may create, and how many taken names it may
//! probe. The network of one customer has eight times the limit of an address.

use std::{net::IpAddr, sync::Arc};

use super::client_range::ClientRange;
use crate::{
    core::sync::Mutex,
    rate_limit::{self, Gcra, KeyedMap, Moment, Rate},
};

/// Minimum number of records before a sweep.
const FEW: usize = 10_000;

/// Rate limiter of registrations by address and by network.
#[derive(Debug)]
pub struct Registrations {
    rate: Rate,
    recent: Mutex<Recent>,
}

/// One limit for created accounts, one for taken names.
type Recent = KeyedMap<ClientRange, [Gcra; 2]>;

/// Counted event: an account created, or a name found taken.
#[derive(Debug, Clone, Copy)]
enum RegistrationKind {
    Made,
    Taken,
}

/// A registration in progress. Dropped before [`keep`](Self::keep), it does not count against the limit.
#[derive(Debug)]
pub struct Reservation {
    registrations: Arc<Registrations>,
    address: IpAddr,
    is_kept: bool,
}

impl Reservation {
    /// Counts the registration from now on: the account may be created even if the client disconnects.
    pub fn keep(&mut self) {
        self.is_kept = true;
    }

    /// Gives the registration back to the limit, because no account was created.
    pub fn give_back(mut self) {
        self.is_kept = false;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if !self.is_kept {
            let limits = self.registrations.limits(self.address);
            give_back(&mut self.registrations.recent.lock(), &limits, RegistrationKind::Made);
        }
    }
}

impl Registrations {
    pub fn new(rate: Rate) -> Arc<Self> {
        Arc::new(Self { rate, recent: Mutex::new(KeyedMap::new(FEW)) })
    }

    /// Reserves a registration. `Err`: the seconds until one is available.
    pub fn place(self: &Arc<Self>, address: IpAddr) -> Result<Reservation, u64> {
        self.take(address, RegistrationKind::Made, rate_limit::now())?;
        Ok(Reservation { registrations: self.clone(), address, is_kept: false })
    }

    /// Counts a probed name that was taken. `Err`: the seconds until the next probe is allowed.
    pub fn taken(&self, address: IpAddr) -> Result<(), u64> {
        self.take(address, RegistrationKind::Taken, rate_limit::now())
    }

    fn limits(&self, address: IpAddr) -> [(ClientRange, Rate); 2] {
        ClientRange::of(address).map(|range| (range, self.rate.times(range.share())))
    }

    fn take(&self, address: IpAddr, kind: RegistrationKind, now: Moment) -> Result<(), u64> {
        let mut recent = self.recent.lock();
        recent.sweep(|limits| limits.iter().any(|limit| !limit.is_idle(now)));
        let limits = self.limits(address);
        for (taken, (range, rate)) in limits.iter().enumerate() {
            let limit = &mut recent.get_or_insert_with(*range, Default::default)[kind as usize];
            if let Err(seconds) = limit.take(*rate, now) {
                give_back(&mut recent, &limits[..taken], kind);
                return Err(seconds);
            }
        }
        Ok(())
    }
}

fn give_back(recent: &mut Recent, limits: &[(ClientRange, Rate)], kind: RegistrationKind) {
    for (range, rate) in limits {
        if let Some(counted) = recent.get_mut(range) {
            counted[kind as usize].give_back(*rate);
        }
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
