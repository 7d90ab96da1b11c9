//! Pages that are believed, and answers of which each is wrong in one way.

use proptest::prelude::*;

use super::*;

fn asked(prefix: &str, token: &str) -> Asked {
    let query: String = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("list-type", "2"), ("prefix", prefix)])
        .extend_pairs((!token.is_empty()).then_some(("continuation-token", token)))
        .finish();
    Asked::of_query(&query).expect("a listing is asked for")
}

fn page(prefix: &str, inside: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>b</Name>\
         <Prefix>{prefix}</Prefix>{inside}</ListBucketResult>\n"
    )
}

const WHOLE: &str = "<IsTruncated>false</IsTruncated>";
const ONE: &str = "<Contents><Key>r/a</Key><Size>1</Size></Contents>";

#[test]
fn real_pages_are_believed() {
    for (prefix, token, body) in [
        ("r/", "", page("r/", WHOLE)),
        ("r/", "", page("r/", &format!("{WHOLE}<KeyCount>1</KeyCount>{ONE}"))),
        ("", "", page("", &format!("{WHOLE}<Marker/>{ONE}"))),
        // Stores that leave out what is plain.
        ("r/", "", "<ListBucketResult><KeyCount>0</KeyCount></ListBucketResult>".to_owned()),
        ("r/", "", "<ListBucketResult><Prefix>r/</Prefix></ListBucketResult>".to_owned()),
        (
            "r/",
            "t&1",
            page(
                "r/",
                "<IsTruncated>true</IsTruncated><ContinuationToken>t&amp;1</ContinuationToken>\
                 <NextContinuationToken>t2</NextContinuationToken>",
            ),
        ),
        ("a&b/", "", page("a&amp;b/", "<IsTruncated>false</IsTruncated>")),
        ("a&b/", "", page("a&#38;b/", "<IsTruncated>false</IsTruncated>")),
    ] {
        assert_eq!(asked(prefix, token).check(body.as_bytes()), Ok(()), "{body}");
    }
}

#[test]
fn what_is_no_page_of_this_listing_is_not_believed() {
    for (body, words) in [
        (String::new(), "empty"),
        ("   ".to_owned(), "empty"),
        ("{}".to_owned(), "text"),
        (
            page("r/", &format!("{WHOLE}{}", ONE.replace(">1<", ">-1<"))),
            "size of an object as \"-1\"",
        ),
        (page("r/", &format!("{WHOLE}{}", ONE.replace(">1<", "><"))), "size of an object as \"\""),
        (
            page(
                "r/",
                &format!(
                    "{WHOLE}{}",
                    ONE.replace("<Size>", "<LastModified>now</LastModified><Size>")
                ),
            ),
            "time of an object as \"now\"",
        ),
        ("<html><body><p>Log in</p></body></html>".to_owned(), "root is \"html\""),
        ("<!DOCTYPE html><html><br></html>".to_owned(), "root is \"html\""),
        ("<Error><Code>AccessDenied</Code></Error>".to_owned(), "root is \"Error\""),
        ("<ListAllMyBucketsResult></ListAllMyBucketsResult>".to_owned(), "root is"),
        ("<ListBucketResult/>".to_owned(), "neither"),
        (page("other/", WHOLE), "prefix \"other/\""),
        (page("", WHOLE), "prefix \"\""),
        (page("r/", &format!("{WHOLE}{ONE}")).replace(">r/a<", ">x/a<"), "object \"x/a\""),
        (page("r/", "<IsTruncated>true</IsTruncated>"), "cut short"),
        (page("r/", "<IsTruncated>true</IsTruncated><NextContinuationToken/>"), "cut short"),
        (page("r/", "<IsTruncated>perhaps</IsTruncated>"), "IsTruncated"),
        (page("r/", &format!("{WHOLE}<KeyCount>7</KeyCount>{ONE}")), "announces 7"),
        (page("r/", &format!("{WHOLE}<ContinuationToken>x</ContinuationToken>")), "page at"),
        (format!("{}<more/>", page("r/", WHOLE)), "follows"),
        (format!("{}more", page("r/", WHOLE)), "text"),
        (page("r/", "&nothing;"), "unknown"),
        (page("r/", "<a></b>"), "broken"),
    ] {
        let why = asked("r/", "").check(body.as_bytes()).expect_err(&body);
        assert!(why.contains(words), "{body}: {why}");
        assert!(!why.contains('\n'));
    }
}

#[test]
fn azure_has_a_form_of_its_own() {
    let asked = Asked::of_query("restype=container&comp=list&prefix=r%2F").expect("a listing");
    let page = |inside: &str| {
        format!("\u{feff}<EnumerationResults><Prefix>r/</Prefix>{inside}</EnumerationResults>")
    };
    let blob = "<Blob><Name>r/a</Name></Blob>";
    assert_eq!(asked.check(page("<Blobs/><NextMarker/>").as_bytes()), Ok(()));
    assert_eq!(asked.check(page(&format!("<Blobs>{blob}</Blobs>")).as_bytes()), Ok(()));
    asked.check(page("").as_bytes()).expect_err("no blobs");
    let other = page(&format!("<Blobs>{blob}</Blobs>")).replace("r/a", "q/a");
    asked.check(other.as_bytes()).expect_err("elsewhere");
    asked.check(b"<ListBucketResult/>").expect_err("of somebody else");
}

#[test]
fn other_requests_are_no_listings() {
    for query in ["", "versioning", "uploadId=1&partNumber=2", "comp=block"] {
        assert_eq!(Asked::of_query(query), None, "{query}");
    }
}

#[test]
fn keys_that_are_no_paths_are_written_so_that_the_library_reads_them() {
    let keys =
        "<Contents><Key>r//a&amp;b</Key></Contents><Contents><Key>r/./\u{e4}</Key></Contents>";
    let body = page("r/", &format!("{WHOLE}{ONE}{keys}"));
    let read = asked("r/", "").readable(body.clone().into_bytes()).expect("it is believed");
    let marked = body
        .replace("r//a&amp;b", "r/\u{f8ff}/a&amp;b")
        .replace("r/./\u{e4}", "r/\u{f8ff}./\u{e4}");
    assert_eq!(String::from_utf8_lossy(&read), marked);
    let plain = page("r/", &format!("{WHOLE}{ONE}"));
    assert_eq!(asked("r/", "").readable(plain.clone().into_bytes()), Ok(plain.into_bytes()));
}

proptest! {
    /// A page that was cut off anywhere is not a shorter listing.
    #[test]
    fn no_beginning_of_a_page_is_a_page(
        keys in prop::collection::vec("[a-z&<>\"é]{0,12}", 0..6),
        cut in 0.0..1.0_f64,
    ) {
        let objects: String = keys
            .iter()
            .map(|key| format!(
                "<Contents><Key>r/{}</Key></Contents>",
                quick_xml::escape::escape(key.as_str())
            ))
            .collect();
        let whole = page("r/", &format!("{WHOLE}{objects}"));
        prop_assert_eq!(asked("r/", "").check(whole.as_bytes()), Ok(()));
        let whole = whole.trim_end().as_bytes();
        let part = &whole[..(whole.len() as f64 * cut) as usize];
        prop_assert!(asked("r/", "").check(part).is_err());
    }

    #[test]
    fn nothing_panics(body in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = asked("r/", "").check(&body);
    }
}
