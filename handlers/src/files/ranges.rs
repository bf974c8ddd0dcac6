//! Which bytes of a file a request asks for, and whether its sender has them already (RFC 9110).

use std::ops::Range;

use http::{HeaderMap, HeaderValue, header};

/// What of a file is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of it: also where a range is asked for in a way that is not understood.
    Whole,
    /// These bytes, at least one.
    Part(Range<u64>),
    /// Bytes that it does not have.
    Beyond,
}

/// Whether the sender says that they have what `tag` names.
pub(super) fn is_known(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let tags = headers.get(header::IF_NONE_MATCH);
    let Some(Ok(tags)) = tags.map(HeaderValue::to_str) else {
        return false;
    };
    let is_this = |known: &str| known.strip_prefix("W/").unwrap_or(known).as_bytes() == tag;
    tags.split(',')
        .map(str::trim)
        .any(|known| known == "*" || is_this(known))
}

/// What is asked for of `size` bytes that `tag` names.
pub(super) fn wanted(headers: &HeaderMap, tag: &HeaderValue, size: u64) -> Wanted {
    // Who has a part of something else wants the whole of this.
    if headers
        .get(header::IF_RANGE)
        .is_some_and(|known| known != tag)
    {
        return Wanted::Whole;
    }
    match headers.get(header::RANGE).map(HeaderValue::to_str) {
        Some(Ok(range)) => part(range, size).unwrap_or(Wanted::Whole),
        _ => Wanted::Whole,
    }
}

/// Of one range; several are not served, so that is the whole.
fn part(range: &str, size: u64) -> Option<Wanted> {
    let (first, last) = range.strip_prefix("bytes=")?.trim().split_once('-')?;
    let number = |digits: &str| {
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        // A number that is too large to be one is beyond every end.
        is_number.then(|| digits.parse().unwrap_or(u64::MAX))
    };
    let (start, end) = match (first, last) {
        ("", last) => (size.saturating_sub(number(last)?), size),
        (first, "") => (number(first)?, size),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            if last < first {
                return None;
            }
            (first, last.saturating_add(1).min(size))
        }
    };
    Some(if start < end {
        Wanted::Part(start..end)
    } else {
        Wanted::Beyond
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_the_bytes_that_there_are() {
        for (range, wanted) in [
            ("bytes=0-0", Wanted::Part(0..1)),
            ("bytes=2-5", Wanted::Part(2..6)),
            ("bytes=2-", Wanted::Part(2..10)),
            ("bytes=-3", Wanted::Part(7..10)),
            ("bytes=-30", Wanted::Part(0..10)),
            ("bytes=9-99999999999999999999999", Wanted::Part(9..10)),
            ("bytes=10-", Wanted::Beyond),
            ("bytes=10-12", Wanted::Beyond),
            ("bytes=-0", Wanted::Beyond),
            ("bytes=5-2", Wanted::Whole),
            ("bytes=0-1,3-4", Wanted::Whole),
            ("bytes=-", Wanted::Whole),
            ("bytes=+1-2", Wanted::Whole),
            ("lines=1-2", Wanted::Whole),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::RANGE, range.parse().unwrap());
            let tag = HeaderValue::from_static("\"a\"");
            assert_eq!(super::wanted(&headers, &tag, 10), wanted, "{range}");
            headers.insert(header::IF_RANGE, HeaderValue::from_static("\"b\""));
            assert_eq!(super::wanted(&headers, &tag, 10), Wanted::Whole, "{range}");
        }
    }

    #[test]
    fn what_is_known_is_named_by_its_tag() {
        for (known, is_known) in [
            ("\"a\"", true),
            ("W/\"a\"", true),
            ("\"b\", \"a\"", true),
            ("*", true),
            ("\"b\"", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_NONE_MATCH, known.parse().unwrap());
            let tag = HeaderValue::from_static("\"a\"");
            assert_eq!(super::is_known(&headers, &tag), is_known, "{known}");
        }
    }
}
