//! The trace context of a request (W3C Trace Context, <https://www.w3.org/TR/trace-context/>), which
//! goes on in the callouts for that request. Filters record no spans of their own, so the context
//! stays as it is.

use exchange::{Head, Occurrence};

const PARENT: &str = "traceparent";
const STATE: &str = "tracestate";
/// The most bytes of a `traceparent`. A later version may be longer than version 00, but a client
/// must not make a callout so long that its receiver refuses it.
const LONGEST_PARENT: usize = 128;
/// The most bytes of a `tracestate`: section 3.3.1.5 asks for at least 512.
const LONGEST_STATE: usize = 512;

/// Returns the headers `traceparent` and `tracestate` for a callout of the request with this head:
/// none, if its `traceparent` is not valid.
pub(crate) fn context(head: &Head) -> Vec<(&'static str, Vec<u8>)> {
    let Occurrence::One(parent) = head.occurrence(PARENT) else { return Vec::new() };
    if !is_parent(parent) {
        return Vec::new();
    }
    let mut context = vec![(PARENT, parent.to_vec())];
    // Several lines are one list (section 3.3.1.3).
    let state = head.values(STATE).collect::<Vec<_>>().join(&b","[..]);
    let plain = state.iter().all(|byte| matches!(byte, b' '..=b'~'));
    if !state.is_empty() && state.len() <= LONGEST_STATE && plain {
        context.push((STATE, state));
    }
    context
}

/// Returns `true` for `version-trace_id-parent_id-flags` in lower-case hex (section 3.2.2). Later
/// versions may go on after that, up to [`LONGEST_PARENT`].
fn is_parent(value: &[u8]) -> bool {
    if value.len() > LONGEST_PARENT {
        return false;
    }
    let Some((known, rest)) = value.split_at_checked(55) else { return false };
    let parts: Vec<&[u8]> = known.split(|byte| *byte == b'-').collect();
    let hex = |part: &[u8]| part.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let zero = |part: &[u8]| part.iter().all(|byte| *byte == b'0');
    let [version, trace, parent, flags] = parts.as_slice() else { return false };
    let lengths = [version.len(), trace.len(), parent.len(), flags.len()] == [2, 32, 16, 2];
    let goes_on = *version != b"00" && rest.first() == Some(&b'-');
    lengths
        && parts.iter().all(|part| hex(part))
        && *version != b"ff"
        && !zero(trace)
        && !zero(parent)
        && (rest.is_empty() || goes_on && rest.iter().all(|byte| matches!(byte, b'!'..=b'~')))
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn of(fields: &[(&str, &str)]) -> Vec<(&'static str, String)> {
        let context = context(&fields.iter().copied().collect());
        let text = |value| String::from_utf8(value).unwrap();
        context.into_iter().map(|(name, value)| (name, text(value))).collect()
    }

    #[test]
    fn a_valid_context_goes_on_and_its_state_is_one_list() {
        let state = [("Tracestate", "a=1"), (PARENT, VALID), ("tracestate", "b=2")];
        assert_eq!(of(&state), [(PARENT, VALID.to_owned()), (STATE, "a=1,b=2".to_owned())]);
        let later = VALID.replacen("00", "cc", 1) + "-more";
        assert_eq!(of(&[(PARENT, &later)]), [(PARENT, later.clone())]);
    }

    #[test]
    fn a_context_that_is_not_valid_does_not_go_on() {
        let zeros = "00-00000000000000000000000000000000-b7ad6b7169203331-01";
        for wrong in [
            "",
            "00",
            zeros,
            &VALID.replacen("00", "ff", 1),
            &VALID.to_uppercase(),
            &VALID.replace("b7ad6b7169203331", "0000000000000000"),
            &format!("{VALID}-more"),
            &format!("{VALID}\r"),
            &(VALID.replacen("00", "cc", 1) + "-" + &"x".repeat(LONGEST_PARENT)),
            &VALID.replacen("-0af7", "0-af7", 1),
        ] {
            assert_eq!(of(&[(PARENT, wrong), (STATE, "a=1")]), [], "{wrong}");
        }
        assert_eq!(of(&[(PARENT, VALID), (PARENT, VALID)]), []);
        assert_eq!(of(&[(STATE, "a=1")]), []);
    }

    #[test]
    fn a_state_that_is_too_long_or_not_plain_is_left_out() {
        for state in ["x".repeat(513), "a=\u{e4}".to_owned(), "a=\n".to_owned()] {
            assert_eq!(of(&[(PARENT, VALID), (STATE, &state)]), [(PARENT, VALID.to_owned())]);
        }
    }
}
