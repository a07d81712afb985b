//! A set of networks with a fast lookup of addresses.
//!
//! The set is a trie over the bits of an address. A node stands for all bits that its networks have
//! in common, so n networks have at most 2n nodes, and a lookup follows one branch. Networks within
//! another network of the set are dropped.

use crate::prefix::{Family, Prefix, masked};
use std::net::IpAddr;

/// A set of IPv4 and IPv6 networks.
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
    /// A network of the set.
    Network,
    /// The bit at which the networks differ, with the nodes for a zero and for a one.
    Fork(u32, u32),
}

impl Networks {
    /// Returns `true` if one of the networks contains `address`.
    #[must_use]
    pub fn contain(&self, address: IpAddr) -> bool {
        let address = Prefix::of(address);
        match address.family() {
            Family::V4 => self.v4.contains(address.bits()),
            Family::V6 => self.v6.contains(address.bits()),
        }
    }

    /// Returns `true` if there are no networks.
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
        // Sorting puts a network right before the networks within it, which are dropped.
        networks.sort_unstable();
        networks.dedup_by(|inner, outer| masked(inner.0, outer.1) == outer.0);
        let mut trie = Self { nodes: Vec::with_capacity(networks.len().saturating_mul(2)) };
        trie.build(&networks);
        trie
    }

    /// Adds the nodes for `networks`, which are sorted and disjoint. Returns the place of the first
    /// node. The recursion is at most as deep as an address has bits.
    fn build(&mut self, networks: &[(u128, u8)]) -> Option<u32> {
        let (&(first, length), &(last, _)) = (networks.first()?, networks.last()?);
        let place = u32::try_from(self.nodes.len()).ok()?;
        if networks.len() == 1 {
            self.nodes.push(Node { bits: first, length, kind: Kind::Network });
            return Some(place);
        }
        // In a sorted list, the bits that the first and the last network share are common to all.
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

/// Returns the bit after the first `length` bits.
fn bit(bits: u128, length: u8) -> bool {
    127_u32.checked_sub(u32::from(length)).is_some_and(|shift| bits & (1 << shift) != 0)
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
#[path = "networks_tests.rs"]
mod tests;
