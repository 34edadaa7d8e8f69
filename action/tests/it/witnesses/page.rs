//! The HTML report in headless Chromium: read, filtered, searched, drawn, light and dark, and without JavaScript.

mod browser;

use std::path::Path;

use serde_json::{Value, json};

use self::browser::Browser;
use super::reports;
use crate::skip::skipped;

fn browser() -> Option<Browser> {
    let browser = Browser::start();
    if browser.is_none() {
        skipped("there is no chromium: install it, or run scripts/test.sh");
    }
    browser
}

/// Opens a script's report, and holds it to its JSON.
fn open(browser: &mut Browser, directory: &Path) -> usize {
    browser.open(&directory.join("report.html"));
    let report = super::json(directory);
    let results = report["results"].as_array().unwrap().len();
    assert_eq!(browser.evaluate("document.querySelectorAll('.result').length"), json!(results));
    results
}

/// How many results are seen.
const SEEN: &str = "[...document.querySelectorAll('.result')].filter(it => it.offsetHeight > 0).length";

#[test]
fn the_page_is_read_filtered_and_searched() {
    let Some(mut browser) = browser() else { return };
    let directory = reports("chain");
    let all = open(&mut browser, directory.path());
    assert_eq!(browser.evaluate(SEEN), json!(all));
    assert_eq!(
        browser.evaluate("document.querySelector('h1').textContent.startsWith('✗ 1 of 2')"),
        json!(true)
    );
    // What depends on what, with room for its names.
    let drawn =
        "[...document.querySelectorAll('.graph svg text')].filter(it => it.getBoundingClientRect().width > 0)
        .map(it => it.textContent).join(' ')";
    let drawn = browser.evaluate(drawn);
    assert!(["web", "database"].iter().all(|name| drawn.as_str().unwrap().contains(name)), "{drawn}");
    // When each was looked at.
    let bars =
        "[...document.querySelectorAll('.bar span')].every(it => it.getBoundingClientRect().width > 0)";
    assert_eq!(browser.evaluate(bars), json!(true));
    browser.evaluate("document.getElementById('show-failed').click()");
    assert_eq!(browser.evaluate(SEEN), json!(all - 1), "the failed one is filtered out");
    browser.evaluate("document.getElementById('show-failed').click()");
    let search = |browser: &mut Browser, text: &str| {
        let text = json!(text);
        browser.evaluate(&format!(
            "search.value = {text}; search.dispatchEvent(new Event('input')); search.offsetHeight > 0"
        ))
    };
    assert_eq!(search(&mut browser, "refused"), json!(true), "the search is there");
    assert_eq!(browser.evaluate(SEEN), json!(1));
    search(&mut browser, "no such thing");
    assert_eq!(browser.evaluate(SEEN), json!(0));
    search(&mut browser, "");
    assert_eq!(browser.evaluate(SEEN), json!(all));
    assert_eq!(browser.complaints(), [""; 0]);
    assert_eq!(browser.requests(), 1, "it fetches nothing but itself");
}

#[test]
fn the_page_follows_dark_and_light() {
    let Some(mut browser) = browser() else { return };
    let directory = reports("fails");
    // The contrast of two colours, as WCAG 2 has it.
    let contrast = "(() => {
        const light = colour => colour.match(/[0-9.]+/g).slice(0, 3).map(it => it / 255)
            .map(it => it <= .03928 ? it / 12.92 : ((it + .055) / 1.055) ** 2.4)
            .reduce((sum, it, at) => sum + it * [.2126, .7152, .0722][at], 0);
        const paper = light(getComputedStyle(document.body).backgroundColor);
        const readable = [...document.querySelectorAll('h1, .mark, .title, .dim, pre, dt, dd')].map(it => {
            const ink = light(getComputedStyle(it).color);
            return (Math.max(ink, paper) + .05) / (Math.min(ink, paper) + .05);
        });
        return [paper, Math.min(...readable)];
    })()";
    let mut papers = Vec::new();
    for scheme in ["light", "dark"] {
        browser.scheme(scheme);
        open(&mut browser, directory.path());
        let measured = browser.evaluate(contrast);
        papers.push(measured[0].as_f64().unwrap());
        assert!(measured[1].as_f64().unwrap() >= 4.5, "{scheme}: {measured}");
    }
    assert!(papers[0] > 0.9 && papers[1] < 0.1, "{papers:?}");
}

#[test]
fn the_page_is_read_without_a_script() {
    let Some(mut browser) = browser() else { return };
    browser.without_scripts();
    let directory = reports("fails");
    let all = open(&mut browser, directory.path());
    assert_eq!(browser.evaluate(SEEN), json!(all));
    let told = "[...document.querySelectorAll('.result.failed pre')].filter(it => it.offsetHeight > 0)
        .map(it => it.textContent).join()";
    assert!(browser.evaluate(told).as_str().unwrap().contains("took 512 ms"));
    assert_eq!(browser.evaluate("document.getElementById('search').offsetHeight"), json!(0));
    // The filters need none.
    browser.evaluate("document.getElementById('show-passed').checked = false");
    assert_eq!(browser.evaluate(SEEN), json!(all - 1));
}

#[test]
fn what_a_target_says_does_nothing_there() {
    let Some(mut browser) = browser() else { return };
    let directory = reports("hostile");
    let page = directory.path().join("report.html");
    open(&mut browser, directory.path());
    let elements: Value =
        browser.evaluate("[document.scripts.length, document.images.length, document.links.length]");
    assert_eq!(elements, json!([1, 0, 0]));
    // A script that were to get in would not run: the page's own policy names the one that may.
    let forged =
        "<script>document.title = 'forged'</script><img src=x onerror=\"document.title = 'forged'\"></html>";
    let text = std::fs::read_to_string(&page).unwrap().replace("</html>", forged);
    std::fs::write(&page, text).unwrap();
    browser.open(&page);
    assert_ne!(browser.evaluate("document.title"), json!("forged"));
    assert!(browser.complaints().iter().any(|text| text.contains("Content Security Policy")));
}
