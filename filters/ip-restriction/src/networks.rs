//! Many networks, and whether an address is in one of them.
//!
//! A trie over the bits of an address, in which a node stands for all bits that its networks have in common: a
//! list of n networks has at most 2n nodes, and a look goes down at most one branch. Below a network nothing is
//! kept, since whatever is in it is in the list.

use crate::prefix::{Family, Prefix, masked};
use std::net::IpAddr;

/// A list of networks.
#[derive(Debug, Clone, Default)]
pub struct Networks {
    v4: Trie,
    v6: Trie,
}

#[derive(Debug, Clone, Default)]
struct Trie {
    nodes: Vec<Node>,
}

#[derive(Debug, Clone)]
struct Node {
    bits: u128,
    length: u8,
    kind: Kind,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    /// A network of the list.
    Network,
    /// Where lists part: to the nodes for a zero and for a one.
    Fork(u32, u32),
}

impl Networks {
    /// Whether an address is in one of the networks.
    #[must_use]
    pub fn contain(&self, address: IpAddr) -> bool {
        let address = Prefix::of(address);
        match address.family() {
            Family::V4 => self.v4.contains(address.bits()),
            Family::V6 => self.v6.contains(address.bits()),
        }
    }

    /// Whether there is no network at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.v4.nodes.is_empty() && self.v6.nodes.is_empty()
    }
}

impl FromIterator<Prefix> for Networks {
    fn from_iter<I: IntoIterator<Item = Prefix>>(prefixes: I) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for prefix in prefixes {
            let list = match prefix.family() {
                Family::V4 => &mut v4,
                Family::V6 => &mut v6,
            };
            list.push((prefix.bits(), prefix.length()));
        }
        Self { v4: Trie::new(v4), v6: Trie::new(v6) }
    }
}

impl Trie {
    fn new(mut networks: Vec<(u128, u8)>) -> Self {
        // A network comes right before those within it, which are dropped.
        networks.sort_unstable();
        networks.dedup_by(|inner, outer| masked(inner.0, outer.1) == outer.0);
        let mut trie = Self { nodes: Vec::with_capacity(networks.len().saturating_mul(2)) };
        trie.build(&networks);
        trie
    }

    /// Adds the nodes for `networks`, which are in order and apart, and gives the place of the first. It goes
    /// no deeper than an address has bits.
    fn build(&mut self, networks: &[(u128, u8)]) -> Option<u32> {
        let (&(first, length), &(last, _)) = (networks.first()?, networks.last()?);
        let place = u32::try_from(self.nodes.len()).ok()?;
        if networks.len() == 1 {
            self.nodes.push(Node { bits: first, length, kind: Kind::Network });
            return Some(place);
        }
        // In a list in order, what the first and the last have in common is common to all.
        let common = u8::try_from((first ^ last).leading_zeros()).ok()?;
        let bits = masked(first, common);
        self.nodes.push(Node { bits, length: common, kind: Kind::Fork(0, 0) });
        let (zeros, ones) =
            networks.split_at(networks.partition_point(|(bits, _)| !bit(*bits, common)));
        let kind = Kind::Fork(self.build(zeros)?, self.build(ones)?);
        if let Some(node) = self.nodes.get_mut(usize::try_from(place).ok()?) {
            node.kind = kind;
        }
        Some(place)
    }

    fn contains(&self, address: u128) -> bool {
        let mut place = 0;
        while let Some(node) = usize::try_from(place).ok().and_then(|place| self.nodes.get(place)) {
            if masked(address, node.length) != node.bits {
                return false;
            }
            place = match node.kind {
                Kind::Network => return true,
                Kind::Fork(zero, one) => {
                    if bit(address, node.length) {
                        one
                    } else {
                        zero
                    }
                }
            };
        }
        false
    }
}

/// The bit after the first `length`.
fn bit(bits: u128, length: u8) -> bool {
    127_u32.checked_sub(u32::from(length)).is_some_and(|shift| bits & (1 << shift) != 0)
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
#[path = "networks_tests.rs"]
mod tests;
