use proptest::prelude::*;

use super::read;
use crate::manifest::parse::{decode, key_troubles, parse_all};

/// Whether it is taken; then it must be what the parser reads, place for place.
fn taken(text: &str) -> bool {
    if decode(text.as_bytes()).1.is_some() {
        return false; // goes to no reader
    }
    let Some(ours) = read(text) else { return false };
    match parse_all(text) {
        Ok(theirs) => {
            assert_eq!(ours, theirs, "{text:?}");
            // What it knows of the keys must be true.
            let [ours, theirs] = [ours, theirs].map(|document| {
                let mut told = Vec::new();
                key_troubles(&document, |id, trouble| told.push((id, trouble.message)));
                told
            });
            assert_eq!(ours, theirs, "{text:?}");
        }
        Err(trouble) => panic!("{text:?} is taken, and the parser says: {}", trouble.message),
    }
    true
}

/// Tries every text of up to so many of these pieces, and returns how many are taken.
fn all(most: usize, pieces: &[&str]) -> usize {
    let mut places = vec![0; most]; // place 0 is none
    let mut count = 0;
    loop {
        let pieces_here = places.iter().filter_map(|place: &usize| pieces.get(place.checked_sub(1)?));
        count += usize::from(taken(&pieces_here.copied().collect::<String>()));
        let Some(at) = places.iter().position(|place| *place < pieces.len()) else { return count };
        places[..at].fill(0);
        places[at] += 1;
    }
}

#[test]
fn every_short_text_is_read_as_the_parser_reads_it_or_not_at_all() {
    let marks = ["a", "-", " ", "\n", ":", "{", "}", "[", "]", ",", "\"", "'", "#"];
    assert!(all(4, &marks) > 1000);
    let words = ["a: ", "- ", "  ", "\n", "\n  ", "{ ", "}", "[", "]", ", ", "b", "\"x\"", "'y'", " #c"];
    assert!(all(4, &words) > 1000);
    let lines = ["a:", "-", " ", "\n", " b", "\n---", "---\n", "...", "#"];
    assert!(all(5, &lines) > 1000);
    let json = ["\"a\"", ":", ": ", "{", "}", "[", "]", ",", "\n", " ", "b"];
    assert!(all(4, &json) > 500);
    let rare = "a-\\é\t\u{85}\u{2028}\u{feff}\r\n ?!&*|>%@`~<.0+$=(/_;^:\"'".chars().map(String::from);
    let rare: Vec<_> = rare.collect();
    assert!(all(3, &rare.iter().map(String::as_str).collect::<Vec<_>>()) > 1000);
}

/// What manifests are made of.
const SHOP: &str = r#"
# the shop → and what it needs
project: shop
defaults: { timeout: 5s, concurrency: 64 }   # for all
resources:
  web server:
    kind: ContainerResource
    depends_on:
    - database
    - "cache"
    ports: ["8080:80", '8443:443',
            "9000:9000"]
    assertions:
      - ContainerRunningAssert
      - HealthcheckAssert: { url: "${vars.base}/health", status: [200, 204], body: { contains: "it's" } }
        within: 30s
      - FileContentMatchesAssert:
          path: /etc/naïve.conf
          pattern: '^it''s \d+$'   # a regex
          contains: "say \"hi\"\n"
        not: true
      - PortAccessibleAssert:
          {
            port: -1,
          }
"#;

#[test]
fn what_manifests_are_made_of_is_taken() {
    assert!(taken(SHOP));
    assert!(taken(&format!("---{SHOP}")));
    assert!(taken("{\n  \"project\": \"x\",\n  \"assertions\": [ {\"K\":{\"a\":1.5}}, \"L\" ]\n}\n"));
}

#[test]
fn what_is_unusual_is_left_to_the_parser() {
    let deep = format!("a: {}1{}", "[".repeat(40), "]".repeat(40));
    let long = format!("{}: 1", "k".repeat(1200));
    for text in [
        "",
        "# nothing",
        "a:",
        "a: |\n  text",
        "a: &x 1",
        "a: *x",
        "a: !!str 1",
        "? a",
        "a: b\n  c",
        "a: \"b\n  c\"",
        "a: \"\\x41\"",
        "a:\t1",
        "a: 1\r\nb: 2",
        "%YAML 1.2\n---\na: 1",
        "a: 1\n---\nb: 2",
        "a: 1\n...",
        "{a}",
        "[a: 1]",
        "a: 1\n b: 2",
        "a: [1\n]",
        &deep,
        &long,
    ] {
        assert!(!taken(text), "{text:?}");
    }
}

const PIECES: [&str; 40] = [
    "a: ",
    "- ",
    "b",
    "\"x y\"",
    "'it''s'",
    "\"\\n\"",
    "{",
    "}",
    "[",
    "]",
    ", ",
    ": ",
    ":",
    "\n",
    "\n  ",
    "\n    ",
    "\n      ",
    " #c",
    "{ k: v }",
    "[1, 2]",
    "a.b",
    "${x}",
    "http://h/p?q#f",
    "-",
    "- - ",
    "é",
    "key:\n",
    "\n\n",
    "#x\n",
    "1.5",
    "-3",
    "<<",
    "~",
    "? ",
    "\n  a: ",
    "\n  - ",
    "\n- ",
    "\nc: ",
    "\n    d: ",
    "{ a: 1,\n    b: 2 }",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 2048, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn longer_texts_are_read_alike(text in prop::collection::vec(prop::sample::select(&PIECES[..]), 2..16)) {
        taken(&text.concat());
    }

    /// Near to a manifest: one character is changed, taken out or put in, anywhere.
    #[test]
    fn slips_of_the_hand_are_read_alike(at in 0..10_000_usize, slip in "[a :,\n\"'#\\-{}\\[\\]\\\\\té]", how in 0..3) {
        let mut text: Vec<char> = SHOP.chars().collect();
        let at = at % text.len();
        match how {
            0 => text.splice(at..=at, slip.chars()).for_each(drop),
            1 => drop(text.remove(at)),
            _ => text.splice(at..at, slip.chars()).for_each(drop),
        }
        taken(&text.into_iter().collect::<String>());
    }
}
