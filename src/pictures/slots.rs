//! Limit of concurrent fetches per host.

use std::{cell::RefCell, collections::HashMap, rc::Rc};

/// Maximum number of concurrent fetches from one host.
const OF_ONE_HOST: usize = 2;

/// Number of fetches in progress by host.
#[derive(Debug, Clone, Default)]
pub(super) struct Hosts(Rc<RefCell<HashMap<String, usize>>>);

/// Permit for one fetch from a host.
#[derive(Debug)]
pub(super) struct Slot {
    hosts: Hosts,
    host: String,
}

impl Hosts {
    /// Takes a slot of a host, if one is free.
    pub(super) fn enter(&self, host: &str) -> Option<Slot> {
        let mut hosts = self.0.borrow_mut();
        let count = hosts.entry(host.to_owned()).or_default();
        (*count < OF_ONE_HOST).then(|| {
            *count += 1;
            Slot { hosts: self.clone(), host: host.to_owned() }
        })
    }
}

impl Slot {
    /// Moves the slot to another host, for a redirect. The old slot is released first. Returns `None` if the
    /// new host has no free slot.
    pub(super) fn move_to(self, host: &str) -> Option<Self> {
        if self.host == host {
            return Some(self);
        }
        let hosts = self.hosts.clone();
        drop(self);
        hosts.enter(host)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut hosts = self.hosts.0.borrow_mut();
        match hosts.get_mut(&self.host) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                hosts.remove(&self.host);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_as_many_fetches_as_it_may_have() {
        let hosts = Hosts::default();
        let (first, second) = (hosts.enter("a").unwrap(), hosts.enter("a").unwrap());
        assert!(hosts.enter("a").is_none());
        let other = hosts.enter("b").unwrap();
        // A redirect within a host keeps its slot; one to another host needs a slot there.
        let first = first.move_to("a").unwrap();
        assert!(other.move_to("a").is_none());
        drop(second);
        let moved = hosts.enter("b").unwrap().move_to("a").unwrap();
        assert!(hosts.enter("a").is_none());
        drop((first, moved));
        assert!(hosts.0.borrow().is_empty());
    }
}
