use super::*;
use proptest::prelude::*;
use std::net::{Ipv4Addr, Ipv6Addr};

fn networks(texts: &[&str]) -> Networks {
    texts.iter().map(|text| Prefix::parse(text).unwrap()).collect()
}

#[test]
fn an_address_is_in_a_list_if_it_is_in_one_of_its_networks() {
    let list = networks(&["10.0.0.0/8", "192.168.1.7", "10.1.0.0/16", "2001:db8::/32", "::1"]);
    for (address, is_in) in [
        ("10.0.0.0", true),
        ("10.255.255.255", true),
        ("10.1.2.3", true),
        ("11.0.0.0", false),
        ("9.255.255.255", false),
        ("192.168.1.7", true),
        ("192.168.1.6", false),
        ("2001:db8::5", true),
        ("2001:db9::", false),
        ("::1", true),
        ("::2", false),
        ("::ffff:10.1.2.3", true),
        // An address of the other family has equal bits.
        ("a00::", false),
    ] {
        assert_eq!(list.contain(address.parse().unwrap()), is_in, "{address}");
    }
}

#[test]
fn everybody_and_nobody() {
    let none = Networks::default();
    assert!(none.is_empty() && !none.contain(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    let v4 = networks(&["0.0.0.0/0"]);
    assert!(v4.contain("255.1.2.3".parse().unwrap()) && !v4.contain("::1".parse().unwrap()));
    let v6 = networks(&["::/0"]);
    assert!(v6.contain("::1".parse().unwrap()) && !v6.contain("1.2.3.4".parse().unwrap()));
}

fn prefixes(family_is_v4: bool) -> impl Strategy<Value = Prefix> {
    // The networks use few different bits, so that some lie within others.
    (any::<u8>(), any::<u8>(), any::<u8>(), 0_u8..=32, 0_u8..=128).prop_map(
        move |(a, b, c, short, long)| {
            let text = match family_is_v4 {
                true => format!("{}.{}.0.{}/{short}", a % 4, b % 4, c % 4),
                false => format!("{}:{}::{}/{long}", a % 4, b % 4, c % 4),
            };
            Prefix::parse(&text).unwrap()
        },
    )
}

proptest! {
    #[test]
    fn the_trie_says_what_looking_at_each_network_says(
        v4 in proptest::collection::vec(prefixes(true), 0..30),
        v6 in proptest::collection::vec(prefixes(false), 0..30),
        bytes in proptest::collection::vec((0_u8..4, 0_u8..4, 0_u8..4), 20),
    ) {
        let all: Vec<Prefix> = v4.into_iter().chain(v6).collect();
        let list: Networks = all.iter().copied().collect();
        for (a, b, c) in bytes {
            for text in [format!("{a}.{b}.0.{c}"), format!("{a}:{b}::{c}"), format!("{a}.{b}.{c}.{a}")] {
                let address: IpAddr = text.parse().unwrap();
                let expected = all.iter().any(|prefix| prefix.covers(Prefix::of(address)));
                prop_assert_eq!(list.contain(address), expected, "{}", text);
            }
        }
    }

    #[test]
    fn any_address_is_in_a_list_that_names_it(
        addresses in proptest::collection::vec(any::<u128>(), 1..200), other: u128,
    ) {
        let list: Networks =
            addresses.iter().map(|bits| Prefix::of(Ipv6Addr::from(*bits).into())).collect();
        for bits in &addresses {
            prop_assert!(list.contain(Ipv6Addr::from(*bits).into()));
        }
        prop_assert_eq!(list.contain(Ipv6Addr::from(other).into()), addresses.contains(&other));
    }
}

#[test]
fn a_list_of_ten_thousand_has_no_more_than_two_nodes_for_each() {
    let list: Networks = ten_thousand().into_iter().collect();
    assert!(list.v4.nodes.len() + list.v6.nodes.len() <= 20_000);
}

fn ten_thousand() -> Vec<Prefix> {
    let mut random = random();
    (0..10_000)
        .map(|n| {
            let text = match n % 2 {
                0 => format!("{}/{}", Ipv4Addr::from(random() as u32), 16 + random() % 17),
                _ => {
                    let bits = 0x2001_0db8 << 96 | u128::from(random()) << 32;
                    format!("{}/{}", Ipv6Addr::from(bits), 40 + random() % 60)
                }
            };
            Prefix::parse(&text).unwrap()
        })
        .collect()
}

fn random() -> impl FnMut() -> u64 {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    }
}
